# Writes what a build contains as SPDX 2.3 in JSON: cmake -DINPUT=… -DOUTPUT=… -P sbom.cmake.
#
# INPUT is a file that src/sbom_rules.cmake wrote; it sets
#   root             the sources; nothing of it is in the output
#   version, kind    of libcow; static or shared
#   commit_header    what src/commit.cmake wrote
#   library_files    the sources of the library, from the root
#   program_files    those of the program, if it is built
#   page, page_lock  the page, which is there once it was built, and what it was made from
#   contents         what is in it of others, each `part|name|licence|how|purl|header`: part is
#                    libcow or program, how an SPDX relationship, header what its version is read
#                    from (sbom_version)
# The time is SOURCE_DATE_EPOCH's where that is set; all else is the same for the same sources.

include(${INPUT})

# sbom_version(<variable> <header> <pattern for each part...>): the numbers, joined by dots; empty,
# and a warning, where the header does not say them.
function(sbom_version variable header)
  set(numbers)
  foreach(pattern IN LISTS ARGN)
    file(STRINGS ${header} line REGEX "^# *define +${pattern}[ \t]+[\"(]*[0-9]" LIMIT_COUNT 1)
    string(REGEX MATCH "^# *define +${pattern}[ \t]+[\"(]*([0-9._]+)" line "${line}")
    if(CMAKE_MATCH_1 STREQUAL "")
      message(WARNING "${header} does not say its version (${pattern}): the SBOM has none of it")
      set(${variable} "" PARENT_SCOPE)
      return()
    endif()
    list(APPEND numbers "${CMAKE_MATCH_1}")
  endforeach()
  list(JOIN numbers "." text)
  string(REPLACE "_" "." text "${text}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

function(sbom_version_of variable name header)
  if(name STREQUAL "xxHash")
    sbom_version(text ${header} XXH_VERSION_MAJOR XXH_VERSION_MINOR XXH_VERSION_RELEASE)
  elseif(name STREQUAL "Boost")
    sbom_version(text ${header} BOOST_LIB_VERSION)
    string(REGEX REPLACE "^([0-9]+\\.[0-9]+)$" "\\1.0" text "${text}")  # as its releases are called
  elseif(name STREQUAL "CLI11")
    sbom_version(text ${header} CLI11_VERSION)
  elseif(name STREQUAL "fmt")
    sbom_version(number ${header} FMT_VERSION)
    if(number)
      math(EXPR major "${number} / 10000")
      math(EXPR minor "${number} / 100 % 100")
      math(EXPR patch "${number} % 100")
      set(text ${major}.${minor}.${patch})
    endif()
  elseif(name STREQUAL "nlohmann-json")
    set(macro NLOHMANN_JSON_VERSION)
    sbom_version(text ${header} ${macro}_MAJOR ${macro}_MINOR ${macro}_PATCH)
  elseif(name STREQUAL "Capstone")
    sbom_version(text ${header} CS_API_MAJOR CS_API_MINOR CS_VERSION_EXTRA)
  elseif(name STREQUAL "ncurses")
    sbom_version(text ${header} NCURSES_VERSION)
  else()
    message(FATAL_ERROR "sbom.cmake does not know where '${name}' has its version")
  endif()
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# sbom_quote(<variable> <text>): as a string of JSON.
function(sbom_quote variable text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  set(${variable} "\"${text}\"" PARENT_SCOPE)
endfunction()

set(nobody_says "\"supplier\": \"NOASSERTION\", \"downloadLocation\": \"NOASSERTION\", ")
set(packages)
set(files)
set(relationships)

macro(sbom_relate from type to)
  string(APPEND relationships
    ",\n    {\"spdxElementId\": \"SPDXRef-${from}\", \"relationshipType\": \"${type}\", "
    "\"relatedSpdxElement\": \"SPDXRef-${to}\"}")
endmacro()

# sbom_files(<id of the package> <file...>): lists them; sets `verification`, the package's
# verification code as SPDX defines it: the SHA-1 of all files' SHA-1, sorted and in one string.
function(sbom_files package)
  set(sums)
  foreach(file IN LISTS ARGN)
    file(SHA1 ${root}/${file} sum)
    file(SHA256 ${root}/${file} sum256)
    list(APPEND sums ${sum})
    string(REGEX REPLACE "[^A-Za-z0-9.]" "-" id "File-${file}")
    string(APPEND files
      ",\n    {\"SPDXID\": \"SPDXRef-${id}\", \"fileName\": \"./${file}\", \"checksums\": ["
      "{\"algorithm\": \"SHA1\", \"checksumValue\": \"${sum}\"}, "
      "{\"algorithm\": \"SHA256\", \"checksumValue\": \"${sum256}\"}], "
      "\"licenseConcluded\": \"MIT\", \"licenseInfoInFiles\": [\"NONE\"], "
      "\"copyrightText\": \"NOASSERTION\"}")
    sbom_relate(${package} CONTAINS ${id})
  endforeach()
  list(SORT sums)
  list(JOIN sums "" sums)
  string(SHA1 sums "${sums}")
  set(verification ${sums} PARENT_SCOPE)
  set(files "${files}" PARENT_SCOPE)
  set(relationships "${relationships}" PARENT_SCOPE)
endfunction()

# sbom_own(<id> <name> <purl> <comment> <file...>): a package of this repository.
function(sbom_own id name purl comment)
  sbom_files(${id} ${ARGN})
  file(STRINGS ${root}/LICENSE copyright REGEX "^Copyright" LIMIT_COUNT 1)
  sbom_quote(copyright "${copyright}")
  sbom_quote(comment "${comment}")
  string(APPEND packages
    ",\n    {\"SPDXID\": \"SPDXRef-${id}\", \"name\": \"${name}\", "
    "\"versionInfo\": \"${version}\", "
    "${nobody_says}\"filesAnalyzed\": true, "
    "\"packageVerificationCode\": {\"packageVerificationCodeValue\": \"${verification}\"}, "
    "\"sourceInfo\": \"commit ${COW_COMMIT}, modified: ${modified}\", "
    "\"licenseConcluded\": \"MIT\", \"licenseDeclared\": \"MIT\", "
    "\"licenseInfoFromFiles\": [\"NONE\"], \"copyrightText\": ${copyright}, "
    "\"comment\": ${comment}, \"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", "
    "\"referenceType\": \"purl\", \"referenceLocator\": \"${purl}\"}]}")
  sbom_relate(DOCUMENT DESCRIBES ${id})
  set(packages "${packages}" PARENT_SCOPE)
  set(files "${files}" PARENT_SCOPE)
  set(relationships "${relationships}" PARENT_SCOPE)
endfunction()

# sbom_other(<id> <name> <version> <licence> <purl without its version>): somebody else's.
function(sbom_other id name its_version licence purl)
  set(version_line "")
  if(its_version)
    set(version_line "\"versionInfo\": \"${its_version}\", ")
    string(APPEND purl "${its_version}")
  else()
    string(REGEX REPLACE "@.*" "" purl "${purl}")
  endif()
  string(APPEND packages
    ",\n    {\"SPDXID\": \"SPDXRef-${id}\", \"name\": \"${name}\", ${version_line}"
    "${nobody_says}\"filesAnalyzed\": false, "
    "\"licenseConcluded\": \"${licence}\", \"licenseDeclared\": \"${licence}\", "
    "\"copyrightText\": \"NOASSERTION\", "
    "\"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", "
    "\"referenceType\": \"purl\", \"referenceLocator\": \"${purl}\"}]}")
  set(packages "${packages}" PARENT_SCOPE)
endfunction()

# ---------------------------------------------------------------------------------------------

file(STRINGS ${commit_header} commit_lines REGEX "^#define")
set(modified unknown)
foreach(line IN LISTS commit_lines)
  if(line MATCHES "COW_COMMIT \"(.*)\"")
    set(COW_COMMIT ${CMAKE_MATCH_1})
  elseif(line MATCHES "COW_COMMIT_MODIFIED 0")
    set(modified no)
  elseif(line MATCHES "COW_COMMIT_MODIFIED 1")
    set(modified yes)
  endif()
endforeach()

sbom_own(libcow libcow "pkg:generic/libcow@${version}" "The library, ${kind}" ${library_files})
if(program_files)
  sbom_own(program cow "pkg:generic/libcow@${version}#bin/cow" "The program cow" ${program_files})
endif()
foreach(entry IN LISTS contents)
  string(REPLACE "|" ";" entry "${entry}")
  list(GET entry 0 part)
  list(GET entry 1 name)
  list(GET entry 2 licence)
  list(GET entry 3 how)
  list(GET entry 4 purl)
  list(GET entry 5 header)
  if(NOT packages MATCHES "SPDXRef-${name}\"")
    sbom_version_of(its_version ${name} ${header})
    sbom_other(${name} ${name} "${its_version}" ${licence} "${purl}")
  endif()
  sbom_relate(${part} ${how} ${name})
endforeach()
if(program_files AND EXISTS "${page}")
  file(READ ${page_lock} lock)
  file(SHA256 ${page} sum)
  foreach(name IN ITEMS preact uplot)
    string(JSON its_version GET "${lock}" packages node_modules/${name} version)
    string(JSON licence GET "${lock}" packages node_modules/${name} license)
    sbom_other(${name} ${name} ${its_version} ${licence} "pkg:npm/${name}@")
    sbom_relate(program CONTAINS ${name})
  endforeach()
endif()

string(SUBSTRING "${packages}" 2 -1 packages)
string(SUBSTRING "${files}" 2 -1 files)
string(SUBSTRING "${relationships}" 2 -1 relationships)
set(body "  \"packages\": [
${packages}
  ],
  \"files\": [
${files}
  ],
  \"relationships\": [
${relationships}
  ]
}
")
# A document of its own for each content, and the same one for the same content.
string(SHA256 content "${body}")
string(SUBSTRING ${content} 0 16 content)
string(TIMESTAMP created "%Y-%m-%dT%H:%M:%SZ" UTC)  # of SOURCE_DATE_EPOCH, if that is set
set(head "{
  \"spdxVersion\": \"SPDX-2.3\",
  \"dataLicense\": \"CC0-1.0\",
  \"SPDXID\": \"SPDXRef-DOCUMENT\",
  \"name\": \"libcow-${version}-${kind}\",
  \"documentNamespace\": \"https://spdx.org/spdxdocs/libcow-${version}-${kind}-${content}\",
  \"creationInfo\": {\"created\": \"")
set(tail "\", \"creators\": [\"Tool: libcow-${version}-src/sbom.cmake\"]},
${body}")

# What says the same stays, with its time, unless a time was asked for.
if(EXISTS ${OUTPUT} AND "$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
  file(READ ${OUTPUT} before)
  string(REGEX REPLACE "\"created\": \"[^\"]*" "\"created\": \"" before "${before}")
  if(before STREQUAL "${head}${tail}")
    return()
  endif()
endif()
file(WRITE ${OUTPUT} "${head}${created}${tail}")
