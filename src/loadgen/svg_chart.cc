// See svg_chart.h.
#include "loadgen/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace mcplane::loadgen {
namespace {

// Of the picture, in its own units; it is scaled to the page.
constexpr double kWidth = 640, kHeight = 300, kLeft = 70, kRight = 16, kTop = 30, kBottom = 46;
constexpr double kMarkRowHeight = 13;
constexpr std::size_t kMarkRows = 3, kTicksMax = 6;
constexpr std::size_t kHintsMax = 200;  // more points than that are too near each other to be pointed at

// 1, 2 or 5 times a power of ten, at least `least`.
double round_step(double least) noexcept {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double step : {1.0, 2.0, 5.0})
    if (step * power >= least * (1 - 1e-9)) return step * power;
  return 10 * power;
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

Axis Axis::from_zero(std::string title, double most, std::function<std::string(double)> label) {
  const double step = round_step(std::max(most, 1e-9) * 1.02 / kTicksMax);
  return {std::move(title), 0, step * std::ceil(std::max(most, 1e-9) * 1.02 / step), false, std::move(label)};
}

Axis Axis::decades(std::string title, double least, double most, std::function<std::string(double)> label) {
  const double low = std::floor(std::log10(std::max(least, 1e-9)));
  const double high = std::max(low + 1, std::ceil(std::log10(std::max(most, 1e-9))));
  return {std::move(title), std::pow(10, low), std::pow(10, high), true, std::move(label)};
}

double Axis::share_of(double value) const noexcept {
  const double share =
      logarithmic ? std::log(std::max(value, low) / low) / std::log(high / low) : (value - low) / (high - low);
  return std::clamp(share, 0.0, 1.0);
}

std::vector<double> Axis::ticks() const {
  std::vector<double> values;
  if (!logarithmic) {
    const double step = round_step((high - low) / kTicksMax);
    for (double value = std::ceil(low / step) * step; value <= high * (1 + 1e-9); value += step)
      values.push_back(value);
    return values;
  }
  const bool few = high / low < 1'000;
  for (double power = std::pow(10, std::floor(std::log10(low) + 1e-9)); power <= high * (1 + 1e-9); power *= 10)
    for (const double step : {1.0, 2.0, 5.0})
      if ((few || step == 1.0) && step * power >= low * (1 - 1e-9) && step * power <= high * (1 + 1e-9))
        values.push_back(step * power);
  return values;
}

SvgChart::SvgChart(std::string title, Axis x, Axis y) : title_(std::move(title)), x_(std::move(x)), y_(std::move(y)) {}

double SvgChart::x_of(double value) const noexcept { return kLeft + x_.share_of(value) * (kWidth - kLeft - kRight); }
double SvgChart::y_of(double value) const noexcept {
  return kHeight - kBottom - y_.share_of(value) * (kHeight - kTop - kBottom);
}

void SvgChart::bar(double x_from, double x_to, double y, std::string_view hint) {
  const double left = x_of(x_from), top = y_of(y);
  fmt::format_to(std::back_inserter(body_),
                 "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{}</title>"
                 "</rect>\n",
                 left, top, std::max(x_of(x_to) - left - 0.5, 0.5), kHeight - kBottom - top, html_text(hint));
}

void SvgChart::line(std::span<const ChartPoint> points, std::string_view name) {
  const std::string style = fmt::format("line{}", ++lines_);
  auto out = std::back_inserter(body_);
  fmt::format_to(out, "<polyline class=\"{}\" points=\"", style);
  for (const ChartPoint& point : points) fmt::format_to(out, "{:.1f},{:.1f} ", x_of(point.x), y_of(point.y));
  fmt::format_to(out, "\"/>\n");
  if (points.size() <= kHintsMax)
    for (const ChartPoint& point : points)
      fmt::format_to(out,
                     "<circle class=\"{} dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"><title>{}: {} at {}</title>"
                     "</circle>\n",
                     style, x_of(point.x), y_of(point.y), html_text(name), html_text(y_.label(point.y)),
                     html_text(x_.label(point.x)));
  add_legend(style, name);
}

void SvgChart::guide(const ChartPoint& from, const ChartPoint& to, std::string_view name) {
  fmt::format_to(std::back_inserter(body_),
                 "<line class=\"guide\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", x_of(from.x),
                 y_of(from.y), x_of(to.x), y_of(to.y));
  add_legend("guide", name);
}

void SvgChart::mark(double x, std::string_view label) {
  const double at = x_of(x), row = kTop + 10 + kMarkRowHeight * static_cast<double>(marks_++ % kMarkRows);
  const bool at_right = at > kWidth - 110;
  fmt::format_to(std::back_inserter(body_),
                 "<line class=\"mark\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>"
                 "<text class=\"note\" x=\"{3:.1f}\" y=\"{4:.1f}\" text-anchor=\"{5}\">{6}</text>\n",
                 at, kTop, kHeight - kBottom, at + (at_right ? -4 : 4), row, at_right ? "end" : "start",
                 html_text(label));
}

void SvgChart::shade(double x_from, double x_to, std::string_view name) {
  const double left = x_of(x_from);
  fmt::format_to(std::back_inserter(body_),
                 "<rect class=\"shade\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>\n", left, kTop,
                 std::max(x_of(x_to) - left, 0.0), kHeight - kTop - kBottom);
  add_legend("shade", name);
}

void SvgChart::add_legend(std::string_view style, std::string_view name) {
  fmt::format_to(std::back_inserter(legend_), "<span><i class=\"{}\"></i>{}</span>", style, html_text(name));
}

void SvgChart::draw_axes() {
  std::string axes;
  auto out = std::back_inserter(axes);
  const double bottom = kHeight - kBottom;
  for (const double tick : y_.ticks())
    fmt::format_to(out,
                   "<line class=\"grid\" x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\"/>"
                   "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                   kLeft, y_of(tick), kWidth - kRight, y_of(tick), kLeft - 6, y_of(tick) + 4,
                   html_text(y_.label(tick)));
  for (const double tick : x_.ticks())
    fmt::format_to(out,
                   "<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>"
                   "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
                   x_of(tick), kTop, bottom, bottom + 16, html_text(x_.label(tick)));
  fmt::format_to(out,
                 "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>"
                 "<text x=\"{}\" y=\"{}\" text-anchor=\"start\">{}</text>\n",
                 (kLeft + kWidth - kRight) / 2, kHeight - 8, html_text(x_.title), 4, kTop - 14, html_text(y_.title));
  body_.insert(0, axes);
}

std::string SvgChart::take() {
  draw_axes();
  return fmt::format(
      "<figure>\n<figcaption>{0}</figcaption>\n<div class=\"legend\">{1}</div>\n"
      "<svg viewBox=\"0 0 {2} {3}\" role=\"img\" aria-label=\"{0}\">\n{4}</svg>\n</figure>\n",
      html_text(title_), legend_, kWidth, kHeight, body_);
}

}  // namespace mcplane::loadgen
