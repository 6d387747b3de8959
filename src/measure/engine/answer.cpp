#include "measure/engine/answer.hpp"

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace cow::measure {
namespace {

constexpr std::size_t most_sentence_bytes = 2000;

using Json = nlohmann::json;

}  // namespace

std::string to_message(const Answer& answer) {
  Json parts = Json::array();
  for (const NamedSamples& part : answer.result.parts) {
    parts.push_back(Json::array({part.name, part.values}));
  }
  Json counts = Json::array();
  for (const auto& [name, count] : answer.result.counts) {
    counts.push_back(Json::array({name, count}));
  }
  const Json document =
      Json::array({static_cast<int>(answer.kind), answer.result.samples, std::move(parts),
                   std::move(counts), answer.sentence.substr(0, most_sentence_bytes)});
  std::string message;
  Json::to_cbor(document, message);
  return message;
}

Answer from_message(std::string_view message) {
  try {
    const Json document = Json::from_cbor(message);
    Answer answer;
    const int kind = document.at(0).get<int>();
    if (kind < 0 || kind > static_cast<int>(Answer::Kind::failed)) {
      throw std::runtime_error("an answer of no known kind");
    }
    answer.kind = static_cast<Answer::Kind>(kind);
    answer.result.samples = document.at(1).get<std::vector<double>>();
    for (const Json& part : document.at(2)) {
      answer.result.parts.push_back(
          {part.at(0).get<std::string>(), part.at(1).get<std::vector<double>>()});
    }
    for (const Json& count : document.at(3)) {
      answer.result.counts.emplace_back(count.at(0).get<std::string>(), count.at(1).get<double>());
    }
    answer.sentence = document.at(4).get<std::string>();
    return answer;
  } catch (const Json::exception&) {
    throw std::runtime_error("what it answered makes no sense");
  }
}

}  // namespace cow::measure
