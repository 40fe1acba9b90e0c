// Two versions of one chain: choosing step by step, with the outcome verified in the list below.

export class Merge {
  /** @param section what the server shows of the two; @param onChange called with the lines chosen */
  constructor(section, onChange) {
    this.section = section;
    this.onChange = onChange;
    this.over = section.dataset.over;
    this.version = Number(section.dataset.version);
    this.who = section.dataset.who;
    this.kind = section.dataset.kind;
    this.differs = section.dataset.differs === 'true';
    section.addEventListener('change', () => this.changed());
  }

  rows() {
    return [...this.section.querySelectorAll('.merge-row:not(.is-same)')];
  }

  /** The chain as chosen. */
  lines() {
    return [...this.section.querySelectorAll('.merge-row')]
      .map((row) => {
        const pick = row.querySelector('input:checked')?.value ?? 'right';
        return row.dataset[pick];
      })
      .filter(Boolean);
  }

  changed() {
    this.onChange(this.lines());
  }

  current() {
    return this.rows().indexOf(document.activeElement?.closest('.merge-row'));
  }

  focus(at) {
    const rows = this.rows();
    const row = rows[Math.max(0, Math.min(rows.length - 1, at))];
    row?.querySelector('input:checked')?.focus();
    row?.scrollIntoView({ block: 'nearest' });
  }

  move(by) {
    const at = this.current();
    this.focus(at < 0 ? 0 : at + by);
  }

  /** Takes one version of the step in focus, or of the first. */
  pick(side) {
    const row = this.rows()[Math.max(0, this.current())];
    const input = row?.querySelector(`input[value=${side}]`);
    if (!input) return;
    input.checked = true;
    input.focus();
    this.changed();
  }

  pickAll(side) {
    this.rows().forEach((row) => {
      row.querySelector(`input[value=${side}]`).checked = true;
    });
    this.changed();
  }
}
