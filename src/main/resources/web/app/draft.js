// A correction that is not submitted yet, kept in the browser so that a reload or a lost network
// loses nothing.

export class Draft {
  constructor(id, version, original) {
    this.key = `reckoner.draft.${id}`;
    this.version = version;
    this.original = original;
    this.lines = [...original];
    /** While two versions are merged: what was typed stays kept as it was. */
    this.frozen = false;
  }

  get changed() {
    return this.text !== this.original.join('\n');
  }

  get text() {
    return this.lines.filter((line) => line.trim()).join('\n');
  }

  keep() {
    if (this.frozen) return;
    if (!this.changed) {
      this.forget();
      return;
    }
    localStorage.setItem(
      this.key,
      JSON.stringify({ version: this.version, lines: this.lines, at: Date.now() }),
    );
  }

  /** What was kept earlier, or null. */
  kept() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(kept?.lines) ? kept : null;
    } catch {
      return null;
    }
  }

  forget() {
    localStorage.removeItem(this.key);
  }

  reset() {
    this.lines = [...this.original];
    this.forget();
  }
}
