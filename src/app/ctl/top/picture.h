// The screen of `mcplane-ctl top` as lines of styled text, for a terminal of any size. Pure: the terminal only paints
// it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/ctl/top/model.h"

namespace mcplane::app {

enum class TopStyle : std::uint8_t { kPlain, kDim, kBold, kHead, kGood, kWarning, kBad };

struct TopSpan {
  std::string text;
  TopStyle style = TopStyle::kPlain;
};
using TopLine = std::vector<TopSpan>;

struct TopView {
  int rows = 24, columns = 80;
  TopSort sort = TopSort::kName;
  bool reverse = false, paused = false;
  bool blocks = true;      // the terminal shows UTF-8's block elements
  std::size_t scroll = 0;  // workers above the first shown
  std::string problem{};   // nobody answers: why; "": all is well
};

// How many workers fit, at least one.
std::size_t worker_rows(const TopModel& model, const TopView& view);
// At most view.rows lines, none wider than view.columns.
std::vector<TopLine> picture(const TopModel& model, const TopView& view);

// Characters that a terminal shows of UTF-8 text, taking each code point for one.
std::size_t width_of(const std::string& text);

}  // namespace mcplane::app
