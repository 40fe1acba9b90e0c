// Plots: uPlot over data that the page already holds as text, so that a plot only adds to it.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

const dark = matchMedia('(prefers-color-scheme: dark)');

/** A colour of the page's style. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axis(more = {}) {
  return {
    stroke: colour('ink-3'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
    ...more,
  };
}

/** An element with a plot as wide as itself, drawn again when the width or the colours change. */
class PlotElement extends HTMLElement {
  connectedCallback() {
    this.read();
    this.canvas = document.createElement('div');
    this.canvas.setAttribute('aria-hidden', 'true');
    this.append(this.canvas);
    this.onScheme = () => this.draw();
    dark.addEventListener('change', this.onScheme);
    this.resized = new ResizeObserver(() => {
      const width = this.clientWidth;
      if (this.plot && width > 0) this.plot.setSize({ width, height: this.height });
    });
    this.resized.observe(this);
    this.draw();
  }

  disconnectedCallback() {
    dark.removeEventListener('change', this.onScheme);
    this.resized.disconnect();
    this.plot?.destroy();
  }

  draw() {
    this.plot?.destroy();
    const size = { width: Math.max(this.clientWidth, 120), height: this.height };
    this.plot = new uPlot({ ...size, ...this.options() }, this.data, this.canvas);
  }
}

/** The loss of a training run by step; `data-points` holds [[step, …], [loss, …]]. */
class LossPlot extends PlotElement {
  height = 150;

  read() {
    this.data = JSON.parse(this.dataset.points);
  }

  options() {
    const steps = Number(this.dataset.steps);
    return {
      legend: { show: false },
      cursor: { y: false, drag: { x: false } },
      scales: { x: { time: false, range: (u, low, high) => [1, Math.max(steps, high ?? 2, 2)] } },
      padding: [8, 16, 0, 0],
      axes: [axis({ grid: { show: false }, size: 26 }), axis({ size: 38 })],
      series: [{}, { stroke: colour('accent'), width: 2, points: { show: false } }],
      hooks: { setCursor: [(u) => this.tell(u.cursor.idx)] },
    };
  }

  tell(index) {
    const at = index ?? this.data[0].length - 1;
    const readout = this.parentElement.querySelector('.plot-readout');
    if (readout && at >= 0) readout.textContent = `Step ${this.data[0][at]}: loss ${this.data[1][at].toFixed(3)}`;
  }

  get last() {
    return this.data[0].at(-1) ?? 0;
  }

  add(points) {
    if (points.length === 0) return;
    // A run that was taken up from a checkpoint writes some steps again.
    while (this.last >= points[0][0]) this.data.forEach((column) => column.pop());
    for (const [step, loss] of points) {
      this.data[0].push(step);
      this.data[1].push(loss);
    }
    this.plot.setData(this.data);
    this.tell(null);
  }
}

/** Stacked bars by day, from the table inside: a row a day, a column a part. */
class DayBars extends PlotElement {
  height = 190;

  read() {
    const rows = [...this.querySelectorAll('tbody tr')];
    this.days = rows.map((row) => row.querySelector('th').textContent);
    this.parts = [...this.querySelectorAll('thead th')].slice(1).map((th) => ({ name: th.textContent, kind: th.dataset.kind }));
    this.values = this.parts.map((part, i) => rows.map((row) => Number(row.querySelectorAll('td')[i].textContent)));
    // A part is drawn from the bottom up to its sum with those below, the tallest first.
    let sum = rows.map(() => 0);
    const stacked = this.values.map((values) => (sum = values.map((value, day) => value + sum[day])));
    this.data = [this.days.map((day, i) => i), ...stacked.toReversed()];
  }

  options() {
    const paths = uPlot.paths.bars({ size: [0.7, 44] });
    const colours = { verified: 'accent', approved: 'accent', corrected: 'info', failing: 'bad', rejected: 'bad' };
    return {
      legend: { show: false },
      cursor: { y: false, drag: { x: false }, points: { show: false } },
      padding: [8, 4, 0, 0],
      scales: {
        x: { time: false, range: [-0.6, this.days.length - 0.4] },
        y: { range: (u, low, high) => [0, Math.max(1, high ?? 1)] },
      },
      axes: [
        axis({ grid: { show: false }, size: 26, splits: () => this.data[0], values: (u, at) => at.map((i) => this.days[i]?.split(' ')[0] ?? ''), space: 20 }),
        axis({ size: 38, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000] }),
      ],
      series: [
        {},
        ...this.parts.toReversed().map((part) => ({
          fill: colour(colours[part.kind]),
          stroke: 'transparent',
          width: 0,
          paths,
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [(u) => this.tell(u.cursor.idx)] },
    };
  }

  tell(day) {
    const readout = this.closest('figure').querySelector('.plot-readout');
    if (!readout) return;
    readout.textContent =
      day === null || day === undefined
        ? ''
        : `${this.days[day]}: ${this.parts.map((part, i) => `${this.values[i][day]} ${part.name}`).join(', ')}`;
  }
}

customElements.define('loss-plot', LossPlot);
customElements.define('day-bars', DayBars);
