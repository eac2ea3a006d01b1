// A picture of figures as inline SVG: two axes, bars, lines and marks, drawn with the page's style sheet (html.cc), so
// that one picture serves a light and a dark page. Pure text; one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcplane::loadgen {

// Text as it may stand in HTML or in an attribute.
std::string html_text(std::string_view text);

struct Axis {
  std::string title;
  double low = 0, high = 1;  // high > low; logarithmic: low > 0
  bool logarithmic = false;
  std::function<std::string(double)> label;

  // A linear axis from 0 to a round value above `most`.
  static Axis from_zero(std::string title, double most, std::function<std::string(double)> label);
  // A logarithmic one over whole decades.
  static Axis decades(std::string title, double least, double most, std::function<std::string(double)> label);
  double share_of(double value) const noexcept;  // 0 at low, 1 at high; outside: the nearer of them
  std::vector<double> ticks() const;
};

struct ChartPoint {
  double x = 0, y = 0;
};

class SvgChart {
 public:
  SvgChart(std::string title, Axis x, Axis y);

  // From the lower edge up; hint is shown when pointed at.
  void bar(double x_from, double x_to, double y, std::string_view hint);
  // Lines are numbered, and coloured, in their order; up to three.
  void line(std::span<const ChartPoint> points, std::string_view name);
  // A thin line from the first point to the second, for comparison.
  void guide(const ChartPoint& from, const ChartPoint& to, std::string_view name);
  // A vertical mark with a label; labels of neighbours stand in different rows.
  void mark(double x, std::string_view label);
  // A shaded part of the x axis.
  void shade(double x_from, double x_to, std::string_view name);

  std::string take();

 private:
  double x_of(double value) const noexcept;
  double y_of(double value) const noexcept;
  void draw_axes();
  void add_legend(std::string_view style, std::string_view name);

  std::string title_;
  Axis x_, y_;
  std::string body_, legend_;
  std::size_t lines_ = 0, marks_ = 0;
};

}  // namespace mcplane::loadgen
