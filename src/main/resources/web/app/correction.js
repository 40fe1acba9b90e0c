// A correction in the making: the draft, the editor of one step, and the server's verdicts on it.
import { Draft } from './draft.js';
import { post } from './http.js';
import { StepEditor } from './step-editor.js';
import { toast } from './toast.js';

const CHECK_DELAY_MS = 200;
const NEW_STEP = 'infer a : ';

export class Correction {
  /** @param page the chain-review element that shows it */
  constructor(page, id, version) {
    this.page = page;
    this.id = id;
    this.draft = new Draft(
      id,
      version,
      page.steps().map((step) => step.dataset.text),
    );
    this.editor = null;
    this.editing = null;
    this.turn = 0;
  }

  get changed() {
    return this.draft.changed;
  }

  get text() {
    return this.draft.text;
  }

  /** Why it cannot be submitted yet; empty if it can. */
  get problem() {
    return this.list().dataset.problem;
  }

  list() {
    return this.page.querySelector('.steps');
  }

  open(position) {
    this.close();
    const step = this.page.steps()[position];
    this.page.select(step, false);
    this.editing = position;
    this.editor = new StepEditor(step, this.draft.lines[position] ?? '', {
      onChange: (line) => {
        this.draft.lines[this.editing] = line;
        this.draft.keep();
        this.checkSoon();
      },
      onClose: () => this.finish(),
      onInsert: () => this.insertBelow(),
      onRemove: () => this.removeStep(),
    });
  }

  close() {
    clearTimeout(this.timer);
    this.editor?.remove();
    this.editor = null;
    this.editing = null;
  }

  async finish() {
    const position = this.editing;
    this.close();
    await this.check();
    this.focus(position);
  }

  async insertBelow() {
    const position = this.editing + 1;
    this.close();
    this.draft.lines.splice(position, 0, NEW_STEP);
    this.draft.keep();
    await this.check();
    this.open(position);
  }

  async removeStep() {
    const position = this.editing;
    this.close();
    this.draft.lines.splice(position, 1);
    this.draft.keep();
    await this.check();
    this.focus(position);
  }

  focus(position) {
    const steps = this.page.steps();
    this.page.select(steps[Math.min(position, steps.length - 1)]);
  }

  /** Takes other lines, typed as a whole or suggested by the model. */
  async take(lines) {
    this.close();
    this.draft.lines = lines;
    this.draft.keep();
    await this.check();
  }

  type(text) {
    this.draft.lines = text.split('\n');
    this.draft.keep();
    this.checkSoon();
  }

  checkSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), CHECK_DELAY_MS);
  }

  /** Has the server recompute and verify the draft; an answer that was overtaken is dropped. */
  async check() {
    clearTimeout(this.timer);
    const turn = ++this.turn;
    try {
      const response = await post(`/chains/${this.id}/check`, { chain: this.text });
      const html = await response.text();
      if (turn !== this.turn) return;
      this.show(new DOMParser().parseFromString(html, 'text/html').querySelector('.steps'));
      this.page.notice('error', null);
    } catch (error) {
      this.page.notice('error', error.message);
    }
  }

  show(fresh) {
    const list = this.list();
    const checked = [...fresh.children];
    const selected = Number(this.page.current?.dataset.position ?? 0);
    if (this.editor && this.draft.lines[this.editing]?.trim()) {
      // The line that is typed in stays in the page; everything around it is replaced.
      const typed = this.draft.lines[this.editing];
      const at = this.draft.lines.slice(0, this.editing).filter((line) => line.trim()).length;
      const kept = this.editor.step;
      this.editor.show(checked[at]);
      [...list.children].forEach((step) => step !== kept && step.remove());
      kept.before(...checked.slice(0, at));
      kept.after(...checked.slice(at + 1));
      this.draft.lines = checked.map((step, i) => (i === at ? typed : step.dataset.text));
      this.editing = at;
    } else if (!this.editor) {
      list.replaceChildren(...checked);
      this.draft.lines = checked.map((step) => step.dataset.text);
    }
    list.dataset.failed = fresh.dataset.failed;
    list.dataset.problem = fresh.dataset.problem;
    this.draft.keep();
    this.page.stepsChanged(selected);
  }

  /** In one line, for the bar of the decision. */
  state() {
    const changed = this.page.querySelectorAll('.step.is-changed').length;
    const failed = Number(this.list().dataset.failed);
    const verdict = this.problem ? 'not a chain yet' : failed ? `${failed} failed` : 'all verified';
    return `${changed} ${changed === 1 ? 'step' : 'steps'} changed: ${verdict}.`;
  }

  offer() {
    const kept = this.draft.kept();
    if (!kept) return;
    const when = new Date(kept.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    this.page.notice('draft', `You have a correction of this chain from ${when} that was not submitted.`);
    // What is decided already can only be compared with.
    this.page.querySelector('[data-act=restore-draft]').hidden = !this.page.pending;
    this.page.querySelector('[data-act=compare-draft]').hidden = this.page.pending;
  }

  /** The lines of the kept draft, or null. */
  kept() {
    return this.draft.kept()?.lines.filter((line) => line.trim()) ?? null;
  }

  async restore() {
    const kept = this.draft.kept();
    this.page.notice('draft', null);
    if (kept) await this.take(kept.lines);
  }

  async discard() {
    this.close();
    this.draft.reset();
    await this.check();
    toast('Correction discarded');
  }

  /** Shows lines that are being chosen from two versions; the kept draft stays as it is. */
  async preview(lines) {
    this.draft.frozen = true;
    await this.take(lines);
  }

  forget() {
    // The answer to a check that is still under way would keep the draft again.
    clearTimeout(this.timer);
    this.turn++;
    this.draft.forget();
  }
}
