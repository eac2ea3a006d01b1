// A line chart of the last minutes, drawn as SVG: time runs to the right, the newest value is at the right edge. It shows
// one minute until there is more to show, and five at most.
'use strict';

const SVG = 'http://www.w3.org/2000/svg';
const SPANS = [{ seconds: 60, mark: 20 }, { seconds: 120, mark: 60 }, { seconds: 300, mark: 60 }];

function svg(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

class Chart {
  // series: [{key, label, class, quiet}]; quiet: not drawn while all of it is 0. format: of a value, for people; log:
  // whether the axis is logarithmic.
  constructor(figure, series, { format, log = false }) {
    Object.assign(this, { figure, series, format, log, points: [], span: SPANS[0], at: null });
    this.svg = svg('svg', { role: 'img' }, figure);
    this.legend = document.createElement('ul');
    this.legend.className = 'legend';
    for (const line of series) {
      const item = document.createElement('li'), mark = document.createElement('i');
      mark.className = line.class;
      line.value = document.createElement('b');
      item.append(mark, line.label + ' ', line.value);
      this.legend.append(item);
    }
    figure.append(this.legend);
    this.svg.addEventListener('pointermove', (event) => this.point(event));
    this.svg.addEventListener('pointerleave', () => { this.at = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  // points: [{t: seconds, ...values or null}], the oldest first.
  set(points) {
    this.points = points;
    const known = points.length ? this.newest() - points[0].t : 0;
    this.span = SPANS.find((span) => known < span.seconds) || SPANS[SPANS.length - 1];
    this.draw();
  }

  point(event) {
    if (!this.frame) return;
    const { left, width } = this.frame, x = event.clientX - this.svg.getBoundingClientRect().left;
    this.at = this.newest() - this.span.seconds * (1 - (x - left) / width);
    this.draw();
  }

  newest() { return this.points.length ? this.points[this.points.length - 1].t : 0; }

  // Round numbers that hold all values.
  axis(values) {
    if (this.log) {
      let low = 10 ** Math.floor(Math.log10(Math.max(Math.min(...values), 1)));
      let high = 10 ** Math.ceil(Math.log10(Math.max(...values, 1)));
      if (high <= low) high = low * 10;
      const marks = [];
      for (let mark = low; mark <= high * 1.001; mark *= 10) marks.push(mark);
      return { marks, place: (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low) };
    }
    const most = Math.max(...values, 1), rough = most / 4, power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, power * [1, 2, 5, 10].find((factor) => factor * power >= rough));
    const marks = [];
    for (let mark = 0; mark < most + step; mark += step) marks.push(mark);
    const high = marks[marks.length - 1];
    return { marks, place: (value) => value / high };
  }

  draw() {
    const box = this.svg.getBoundingClientRect();
    if (box.width < 1) return;
    this.svg.setAttribute('viewBox', `0 0 ${box.width} ${box.height}`);
    this.svg.replaceChildren();
    const { seconds, mark } = this.span, from = this.newest() - seconds;
    const shown = this.points.filter((point) => point.t >= from);
    const values = shown.flatMap((point) => this.series.map((line) => point[line.key])).filter((value) => value != null);
    const frame = this.frame = { left: 50, top: 8, width: box.width - 54, height: box.height - 30 };
    const bottom = frame.top + frame.height;
    const x = (t) => frame.left + frame.width * (t - from) / seconds;
    const axis = this.axis(values.length ? values : [1]);
    const y = (value) => bottom - frame.height * axis.place(value);
    for (const value of axis.marks) {
      svg('line', { class: 'grid', x1: frame.left, x2: frame.left + frame.width, y1: y(value), y2: y(value) }, this.svg);
      if (values.length) this.text(frame.left - 8, y(value) + 4, this.format(value), 'end');
    }
    const words = (back) => !back ? 'now' : back < 60 ? `−${back} s` : `−${back / 60} min`;
    for (let back = 0; back < seconds; back += seconds === 300 && box.width < 450 ? 2 * mark : mark)
      this.text(x(this.newest() - back), box.height - 4, words(back), back ? 'middle' : 'end');
    if (!values.length) this.text(frame.left + frame.width / 2, frame.top + frame.height / 2, 'nothing yet', 'middle').classList.add('none');
    for (const line of this.series) this.line(line, shown, x, y);
    this.say(shown, x, frame);
  }

  text(x, y, words, anchor) {
    const node = svg('text', { x, y, 'text-anchor': anchor }, this.svg);
    node.textContent = words;
    return node;
  }

  // Gaps stay gaps; a value between two of them is a dot.
  line(line, shown, x, y) {
    if (line.quiet && shown.every((point) => !point[line.key])) return;
    let path = '', open = false;
    shown.forEach((point, i) => {
      const value = point[line.key], last = shown[i - 1];
      if (value == null) { open = false; return; }
      if (last && point.t - last.t > 3) open = false;
      const next = shown[i + 1], alone = !open && (!next || next[line.key] == null);
      if (alone) svg('circle', { class: line.class, cx: x(point.t), cy: y(value), r: 0.75 }, this.svg);
      else path += `${open ? 'L' : 'M'}${x(point.t).toFixed(1)} ${y(value).toFixed(1)}`;
      open = !alone;
    });
    if (path) svg('path', { class: line.class, d: path }, this.svg);
  }

  // The values at the pointer, or the newest.
  say(shown, x, frame) {
    let chosen = shown[shown.length - 1];
    if (this.at != null)
      for (const point of shown) if (Math.abs(point.t - this.at) < Math.abs(chosen.t - this.at)) chosen = point;
    if (this.at != null && chosen)
      svg('line', { class: 'cross', x1: x(chosen.t), x2: x(chosen.t), y1: frame.top, y2: frame.top + frame.height }, this.svg);
    const words = [];
    for (const line of this.series) {
      const value = chosen ? chosen[line.key] : null;
      line.value.textContent = value == null ? '–' : this.format(value);
      words.push(`${line.label} ${line.value.textContent}`);
    }
    this.svg.setAttribute('aria-label', `${this.figure.querySelector('figcaption').textContent}: ${words.join(', ')}`);
  }
}
