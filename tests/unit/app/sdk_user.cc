// An application as others write it: nothing but the library's public header.
#include <cstdio>
#include <string>

#include "mcplane/client.h"

int main() {
  const mcplane::Client* none = nullptr;
  std::printf("%s %d\n", std::string(mcplane::to_string(mcplane::OutcomeKind::kResult)).c_str(),
              none == nullptr ? 0 : 1);
  return 0;
}
