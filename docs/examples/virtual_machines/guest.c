/* What runs in each guest: a small index of primes, on the bare machine (RV32I: there is no
   multiplication, no library and no operating system but the host's three calls).

   To boot is to sieve, and to plant a search tree of primes chosen at random: three quarters of the
   guest's memory, and millions of instructions. The guest then says `ready` and gets its seed; the
   host takes its template at this moment. What it answers depends on its seed and on what it has
   changed itself: each question counts in a node of the tree, and may add one. */

typedef unsigned int u32;

enum { kLimit = 1 << 21, kPlanted = 32768, kNodes = kPlanted + 8192 };

struct node {
  u32 prime;
  u32 asked;
  struct node* less;
  struct node* more;
};

/* Whether the odd number 2 * i + 1 has factors. */
static __attribute__((aligned(4))) unsigned char composite[kLimit / 2];
static struct node nodes[kNodes];
static u32 node_count;
static struct node* root;

struct task {
  u32 seed;
  u32 questions;
  u32 wipes; /* clear all tables before leaving */
};

/* A call of the host: arguments in a0 to a2, which also hold what it returns, its number in a7. */
static struct task call(u32 number, u32 first, u32 second, u32 third) {
  register u32 a0 __asm__("a0") = first;
  register u32 a1 __asm__("a1") = second;
  register u32 a2 __asm__("a2") = third;
  register u32 a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0), "+r"(a1), "+r"(a2) : "r"(a7) : "memory");
  const struct task returned = {a0, a1, a2};
  return returned;
}

static struct task ready(void) { return call(1000, 0, 0, 0); }

static void write_text(const char* text, u32 length) { call(64, 1, (u32)text, length); }

static void leave(u32 code) {
  for (;;) call(93, code, 0, 0);
}

static u32 random_number(u32* state) { /* Marsaglia's xorshift */
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

static void sieve(void) {
  composite[0] = 1;
  /* (odd + 2)^2 = odd^2 + 4 odd + 4, without a multiplication. */
  for (u32 odd = 3, square = 9; square < kLimit; square += (odd << 2) + 4, odd += 2) {
    if (composite[odd >> 1]) continue;
    for (u32 half = square >> 1; half < kLimit / 2; half += odd) composite[half] = 1;
  }
}

/* The node of a prime, added if there is none; `above` is the smallest prime in the tree that is
   not less. */
static struct node* find(u32 prime, u32* above) {
  struct node** link = &root;
  while (*link && (*link)->prime != prime) {
    if (prime < (*link)->prime) {
      *above = (*link)->prime;
      link = &(*link)->less;
    } else {
      link = &(*link)->more;
    }
  }
  if (*link) {
    *above = prime;
    return *link;
  }
  if (node_count == kNodes) leave(2);
  struct node* made = &nodes[node_count++];
  made->prime = prime;
  *link = made;
  return made;
}

static u32 next_prime(u32 number) {
  u32 index = number >> 1; /* an even number's is that of the odd one behind it */
  while (composite[index]) index = (index + 1) & (kLimit / 2 - 1);
  return (index << 1) + 1;
}

static void plant(void) {
  u32 state = 1;
  while (node_count < kPlanted) {
    const u32 odd = (random_number(&state) & (kLimit - 1)) | 1;
    u32 above = 0;
    if (!composite[odd >> 1]) find(odd, &above);
  }
}

static u32 answer(struct task task) {
  u32 state = task.seed ^ 0x9e3779b9u;
  u32 sum = 0;
  for (u32 i = 0; i < task.questions; ++i) {
    u32 above = 0;
    struct node* found = find(next_prime(random_number(&state) & (kLimit - 1)), &above);
    found->asked += 1;
    sum = ((sum << 5) | (sum >> 27)) ^ above ^ (found->asked << 24) ^ node_count;
  }
  return sum;
}

static void wipe(void) {
  volatile u32* const words = (u32*)composite;
  for (u32 i = 0; i < sizeof(composite) / 4; ++i) words[i] = 0;
  volatile u32* const parts = (u32*)nodes;
  for (u32 i = 0; i < sizeof(nodes) / 4; ++i) parts[i] = 0;
}

static char* put_text(char* to, const char* text) {
  while (*text) *to++ = *text++;
  return to;
}

static char* put_number(char* to, u32 number) {
  static const u32 powers[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                               10000,      1000,      100,      10,      1};
  int begun = 0;
  for (u32 i = 0; i < 10; ++i) {
    char digit = '0';
    for (; number >= powers[i]; number -= powers[i]) ++digit;
    begun |= digit != '0' || i == 9;
    if (begun) *to++ = digit;
  }
  return to;
}

/* The host has set the stack pointer to the end of memory. */
__attribute__((noreturn)) void _start(void) {
  sieve();
  plant();
  const struct task task = ready();
  const u32 sum = answer(task);
  char line[64];
  char* end = put_text(line, "seed ");
  end = put_number(end, task.seed);
  end = put_text(end, ": sum ");
  end = put_number(end, sum);
  end = put_text(end, ", ");
  end = put_number(end, node_count);
  end = put_text(end, " primes\n");
  write_text(line, (u32)(end - line));
  if (task.wipes) wipe();
  leave(0);
  __builtin_unreachable();
}
