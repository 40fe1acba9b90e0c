// Two versions of one chain: choosing step by step, with the outcome verified in the list below.

export class Merge {
  /** @param section what the server shows of the two; @param onChange called with the lines chosen */
  constructor(section, onChange) {
    this.section = section;
    this.onChange = onChange;
    this.over = section.dataset.over;
    this.version = Number(section.dataset.version);
    /** Two opinions for a third person to settle, in place of what stands and our own. */
    this.dispute = !this.over;
    this.who = section.dataset.leftWho;
    this.other = section.dataset.rightWho;
    this.kind = section.dataset.rightKind.toLowerCase();
    this.differs = section.dataset.differs === 'true';
    section.addEventListener('change', () => this.changed());
  }

  rows() {
    return [...this.section.querySelectorAll('.merge-row:not(.is-same)')];
  }

  /** The decision of one side, to be made again as it is. */
  decision(side) {
    const data = this.section.dataset;
    const kind = data[`${side}Kind`].toLowerCase();
    const chain = [...this.section.querySelectorAll('.merge-row')].map((row) => row.dataset[side]).filter(Boolean);
    return {
      kind,
      chain: kind === 'correct' ? chain.join('\n') : null,
      firstWrongStep: data[`${side}Step`] || null,
      reasonTag: data[`${side}Tag`] || null,
    };
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
