// Which figure comes from where: a step lights its cells and sentences, a cell the steps on it.

export class Provenance {
  constructor(root) {
    this.root = root;
    this.places = new Map();
    root.querySelectorAll('[data-place]').forEach((el) => this.places.set(el.dataset.place, el));
    const source = root.querySelector('.source');
    source.addEventListener('pointerover', (event) => this.fromSource(event.target));
    source.addEventListener('pointerleave', () => this.restore());
    source.addEventListener('focusin', (event) => this.fromSource(event.target));
    source.addEventListener('focusout', () => this.restore());
    const holder = root.querySelector('.steps-holder');
    holder.addEventListener('pointerover', (event) => {
      const ref = event.target.closest('.ref');
      const step = event.target.closest('.step');
      if (ref) this.fromStep(this.named(ref.dataset.ref) ?? step, step);
      else if (step) this.fromStep(step, null);
    });
    holder.addEventListener('pointerleave', () => this.restore());
    this.mark();
  }

  steps() {
    return [...this.root.querySelectorAll('.step')];
  }

  named(name) {
    return this.steps().find((step) => step.dataset.name === name);
  }

  /** Marks what is cited, so that it can be seen and reached without a pointer. */
  mark() {
    this.places.forEach((el) => {
      el.classList.remove('cited');
      el.removeAttribute('data-names');
      if (el.matches('td, th, .sentence')) el.removeAttribute('tabindex');
    });
    for (const step of this.steps()) {
      const el = this.places.get(step.dataset.source);
      if (!el) continue;
      el.classList.add('cited');
      el.dataset.names = [el.dataset.names, step.dataset.name].filter(Boolean).join(' ');
      el.tabIndex = 0;
    }
  }

  clear() {
    this.root.querySelectorAll('.lit, .lit-source').forEach((el) => el.classList.remove('lit', 'lit-source'));
  }

  /** What the focused step rests on stays lit while nothing is pointed at. */
  restore() {
    const focused = this.root.querySelector('.step.current');
    if (focused) this.fromStep(focused, null);
    else this.clear();
  }

  fromStep(step, also) {
    this.clear();
    if (!step) return;
    for (const address of step.dataset.places.split(' ').filter(Boolean)) {
      const el = this.places.get(address);
      el?.classList.add('lit');
    }
    this.places.get(step.dataset.source)?.classList.add('lit-source');
    if (also && also !== step) step.classList.add('lit');
  }

  fromSource(target) {
    const el = target.closest('[data-place]');
    if (!el) return;
    const address = el.dataset.place;
    const steps = this.steps().filter((step) => step.dataset.places.split(' ').includes(address));
    if (steps.length === 0) {
      this.restore();
      return;
    }
    this.clear();
    el.classList.add('lit', 'lit-source');
    steps.forEach((step) => step.classList.add('lit'));
  }

  /** Brings what a step cites into view. */
  reveal(step) {
    const first = step.dataset.source || step.dataset.places.split(' ')[0];
    this.places.get(first)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}
