// One chain: reading it, correcting it, deciding about it. Every command is a key and a button.
import { Draft } from './draft.js';
import { get, post } from './http.js';
import { isCommand } from './keys.js';
import { Lease } from './lease.js';
import { advance, lastDecision, prefetch, remember, skip } from './next.js';
import { Provenance } from './provenance.js';
import { StepEditor } from './step-editor.js';
import { toast } from './toast.js';

const CHECK_DELAY_MS = 200;

class ChainReview extends HTMLElement {
  connectedCallback() {
    this.id_ = this.dataset.id;
    this.version = Number(this.dataset.version);
    this.pending = this.dataset.status === 'pending';
    this.reviewer = document.body.dataset.reviewer === 'true';
    this.shownAt = performance.now();
    this.request = crypto.randomUUID();
    this.busy = false;
    this.wrongStep = null;
    this.editor = null;
    this.provenance = new Provenance(this);
    this.draft = new Draft(
      this.id_,
      this.version,
      this.steps().map((step) => step.dataset.text),
    );
    this.rawText = this.querySelector('#raw-text');
    this.onKey = (event) => this.key(event);
    document.addEventListener('keydown', this.onKey);
    this.addEventListener('click', (event) => this.click(event));
    this.addEventListener('focusin', (event) => {
      const step = event.target.closest('.step');
      if (step) this.select(step, false);
    });
    this.addEventListener('dblclick', (event) => {
      const step = event.target.closest('.step');
      if (step && !event.target.closest('.step-editor')) this.edit();
    });
    this.rawText.addEventListener('input', () => {
      this.draft.lines = this.rawText.value.split('\n');
      this.draft.keep();
      this.checkSoon();
    });
    this.drawMinimap();
    const first = this.steps().find((step) => step.dataset.passed === 'false') ?? this.steps()[0];
    if (first) this.select(first, false);
    if (this.reviewer && this.pending) {
      this.lease = new Lease(this.id_, {
        onHeld: () => this.notice('lease', null),
        onLost: (holder, had) => this.lost(holder, had),
      });
      this.offerDraft();
      this.show('decide');
      prefetch(this.id_);
    } else if (this.reviewer) {
      this.show('closed');
    }
  }

  disconnectedCallback() {
    document.removeEventListener('keydown', this.onKey);
    clearTimeout(this.checkTimer);
    this.lease?.release();
  }

  steps() {
    return [...this.querySelectorAll('.step')];
  }

  get current() {
    return this.querySelector('.step.current');
  }

  // ---- moving -----------------------------------------------------------------------------

  select(step, focus = true) {
    if (!step) return;
    this.steps().forEach((other) => {
      other.classList.toggle('current', other === step);
      other.tabIndex = other === step ? 0 : -1;
    });
    this.querySelectorAll('.minimap button').forEach((dot, i) => {
      if (i === Number(step.dataset.position)) dot.setAttribute('aria-current', 'step');
      else dot.removeAttribute('aria-current');
    });
    if (focus) {
      step.focus({ preventScroll: true });
      step.scrollIntoView({ block: 'nearest' });
    }
    this.provenance.fromStep(step, null);
    if (focus) this.provenance.reveal(step);
  }

  move(by) {
    const steps = this.steps();
    const at = steps.indexOf(this.current);
    this.select(steps[Math.max(0, Math.min(steps.length - 1, at + by))]);
  }

  nextFailed() {
    const steps = this.steps();
    const at = steps.indexOf(this.current);
    const order = [...steps.slice(at + 1), ...steps.slice(0, at + 1)];
    const failed = order.find((step) => step.dataset.passed === 'false');
    if (failed) this.select(failed);
    else toast('No step failed verification');
  }

  drawMinimap() {
    const map = this.querySelector('.minimap');
    map.replaceChildren(
      ...this.steps().map((step, i) => {
        const dot = document.createElement('button');
        dot.type = 'button';
        dot.tabIndex = -1;
        dot.className = `dot dot-${step.dataset.kind}`;
        dot.classList.toggle('is-failed', step.dataset.passed === 'false');
        dot.classList.toggle('is-changed', step.classList.contains('is-changed'));
        dot.classList.toggle('is-wrong', this.wrongStep === i);
        dot.setAttribute('aria-label', step.getAttribute('aria-label'));
        dot.title = `${i + 1} ${step.dataset.kind}`;
        dot.addEventListener('click', () => this.select(step));
        if (step === this.current) dot.setAttribute('aria-current', 'step');
        return dot;
      }),
    );
  }

  // ---- correcting -------------------------------------------------------------------------

  edit() {
    if (!this.mayDecide() || !this.current) return;
    this.openEditor(Number(this.current.dataset.position));
  }

  openEditor(position) {
    this.closeEditor();
    const step = this.steps()[position];
    this.select(step, false);
    this.editing = position;
    this.editor = new StepEditor(step, this.draft.lines[position] ?? '', {
      onChange: (line) => {
        this.draft.lines[position] = line;
        this.draft.keep();
        this.checkSoon();
      },
      onClose: () => this.finishEditing(),
      onInsert: () => this.insertBelow(position),
      onRemove: () => this.removeStep(position),
    });
  }

  closeEditor() {
    this.editor?.remove();
    this.editor = null;
    this.editing = null;
  }

  async finishEditing() {
    const position = this.editing;
    this.closeEditor();
    await this.check();
    this.select(this.steps()[Math.min(position, this.steps().length - 1)]);
    this.show(this.draft.changed ? 'correct' : 'decide');
  }

  async insertBelow(position) {
    this.closeEditor();
    const sample = 'infer a : ';
    this.draft.lines.splice(position + 1, 0, sample);
    await this.check();
    this.openEditor(position + 1);
  }

  async removeStep(position) {
    this.closeEditor();
    this.draft.lines.splice(position, 1);
    this.draft.keep();
    await this.check();
    this.select(this.steps()[Math.min(position, this.steps().length - 1)]);
    this.show(this.draft.changed ? 'correct' : 'decide');
  }

  checkSoon() {
    clearTimeout(this.checkTimer);
    this.checkTimer = setTimeout(() => this.check(), CHECK_DELAY_MS);
  }

  /** Has the server recompute and verify the draft; an answer that was overtaken is dropped. */
  async check() {
    clearTimeout(this.checkTimer);
    const sent = this.draft.text;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    try {
      const response = await post(`/chains/${this.id_}/check`, { chain: sent });
      const html = await response.text();
      if (turn !== this.turn) return;
      const fresh = new DOMParser().parseFromString(html, 'text/html').querySelector('.steps');
      this.take(fresh);
      this.notice('error', null);
    } catch (error) {
      this.notice('error', error.message);
    }
  }

  take(fresh) {
    const list = this.querySelector('.steps');
    const checked = [...fresh.children];
    const selected = Number(this.current?.dataset.position ?? 0);
    const typed = this.editing;
    if (this.editor && this.draft.lines[typed]?.trim()) {
      // The line that is typed in stays in the page; everything around it is replaced.
      const at = this.draft.lines.slice(0, typed).filter((line) => line.trim()).length;
      const kept = this.editor.step;
      this.editor.show(checked[at]);
      [...list.children].forEach((step) => step !== kept && step.remove());
      kept.before(...checked.slice(0, at));
      kept.after(...checked.slice(at + 1));
      this.draft.lines = checked.map((step, i) => (i === at ? this.draft.lines[typed] : step.dataset.text));
      this.editing = at;
    } else if (!this.editor) {
      list.replaceChildren(...checked);
      this.draft.lines = checked.map((step) => step.dataset.text);
      if (!this.querySelector('.raw').hidden && document.activeElement !== this.rawText) {
        this.rawText.value = this.draft.text;
      }
    }
    list.dataset.failed = fresh.dataset.failed;
    list.dataset.problem = fresh.dataset.problem;
    this.draft.keep();
    this.provenance.mark();
    this.drawMinimap();
    this.select(this.steps()[Math.min(selected, this.steps().length - 1)], false);
    this.show(this.draft.changed ? 'correct' : 'decide');
  }

  offerDraft() {
    const kept = this.draft.kept();
    if (!kept) return;
    const when = new Date(kept.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    this.notice('draft', `You have a correction of this chain from ${when} that was not submitted.`);
  }

  async restoreDraft() {
    const kept = this.draft.kept();
    this.notice('draft', null);
    if (!kept) return;
    this.draft.lines = kept.lines;
    await this.check();
  }

  async discard() {
    this.closeEditor();
    this.draft.reset();
    await this.check();
    this.draft.forget();
    this.show('decide');
    toast('Correction discarded');
  }

  // ---- deciding ---------------------------------------------------------------------------

  mayDecide() {
    if (!this.reviewer) return false;
    if (!this.pending) {
      toast('This chain is decided; reopen it first');
      return false;
    }
    return true;
  }

  approve() {
    if (!this.mayDecide()) return;
    if (this.draft.changed) {
      toast('You changed the chain: submit the correction, or discard it first');
      return;
    }
    const failed = Number(this.querySelector('.steps').dataset.failed);
    if (failed > 0 && this.set !== 'confirm') {
      this.show('confirm', `${failed} ${failed === 1 ? 'step' : 'steps'} failed verification.`);
      return;
    }
    this.decide({ kind: 'approve' }, 'Approved');
  }

  markWrong() {
    if (!this.mayDecide() || !this.current) return;
    this.setWrong(Number(this.current.dataset.position));
    this.show('wrong', `Step ${this.wrongStep + 1} is the first wrong one.`);
  }

  setWrong(position) {
    this.wrongStep = position;
    this.steps().forEach((step, i) => {
      step.classList.toggle('is-wrong', i === position);
      step.classList.toggle('after-wrong', position !== null && i > position);
    });
    this.drawMinimap();
  }

  submitCorrection() {
    if (!this.mayDecide() || !this.draft.changed) return;
    const problem = this.querySelector('.steps').dataset.problem;
    if (problem) {
      this.notice('error', problem);
      return;
    }
    this.decide(
      { kind: 'correct', chain: this.draft.text, firstWrongStep: this.wrongStep },
      'Correction stored',
    );
  }

  async decide(fields, message) {
    if (this.busy) return;
    this.busy = true;
    this.classList.add('busy');
    try {
      const response = await post(`/chains/${this.id_}/decision`, {
        id: this.request,
        version: this.version,
        token: this.lease?.token,
        dwellMillis: Math.round(performance.now() - this.shownAt),
        ...fields,
      });
      const decision = await response.json();
      this.draft.forget();
      this.lease?.stop();
      remember({ analysis: this.id_, decision: decision.id, message });
      toast(`${message}. Press u to undo.`);
      await advance(this.id_);
    } catch (error) {
      this.notice('error', error.message);
      if (error.status === 409) this.conflict(error.problem);
    } finally {
      this.busy = false;
      this.classList.remove('busy');
    }
  }

  /** Somebody was faster: what was typed is kept, and theirs is one click away. */
  conflict(problem) {
    const kept = this.draft.changed ? ' Your correction is kept in this browser.' : '';
    const box = this.querySelector('[data-notice=error]');
    box.querySelector('p').textContent = `${problem.detail}${kept}`;
    const reload = document.createElement('a');
    reload.href = `/chains/${this.id_}`;
    reload.textContent = 'Show the current state';
    box.querySelector('p').append(' ', reload);
  }

  async undo() {
    const last = lastDecision();
    if (!last) {
      toast('Nothing to undo');
      return;
    }
    await this.reopen(last.analysis, last.decision);
  }

  async reopen(analysis, decision) {
    try {
      await post(`/chains/${analysis}/undo`, { id: crypto.randomUUID(), decision });
      remember(null);
      location.href = `/chains/${analysis}`;
    } catch (error) {
      this.notice('error', error.message);
    }
  }

  async leaveFor(next) {
    if (this.pending) skip(this.id_);
    await this.lease?.release();
    await next();
  }

  lost(holder, had) {
    const who = holder || 'Somebody else';
    this.notice(
      'lease',
      had
        ? `${who} has this chain now: your hold on it ran out. Nothing you typed is lost.`
        : `${who} is reviewing this chain. You can read it; press n for the next one.`,
    );
  }

  // ---- what is shown ----------------------------------------------------------------------

  show(set, message) {
    this.set = set;
    this.querySelectorAll('.action-set').forEach((el) => {
      el.hidden = el.dataset.set !== set;
    });
    const text = this.querySelector(`.action-set[data-set=${set}] p`);
    if (set === 'correct') message = this.correctionState();
    if (text && message) text.textContent = message;
  }

  correctionState() {
    const list = this.querySelector('.steps');
    const changed = this.querySelectorAll('.step.is-changed').length;
    const failed = Number(list.dataset.failed);
    const state = list.dataset.problem ? 'not a chain yet' : failed ? `${failed} failed` : 'all verified';
    return `${changed} ${changed === 1 ? 'step' : 'steps'} changed: ${state}.`;
  }

  notice(name, text) {
    const box = this.querySelector(`[data-notice=${name}]`);
    box.hidden = text === null;
    box.querySelector('p').textContent = text ?? '';
  }

  async cancel() {
    if (this.wrongStep !== null) this.setWrong(null);
    this.show(this.draft.changed ? 'correct' : 'decide');
  }

  toggleRaw() {
    const raw = this.querySelector('.raw');
    raw.hidden = !raw.hidden;
    this.querySelector('[data-act=raw]').setAttribute('aria-pressed', String(!raw.hidden));
    this.rawText.readOnly = !this.pending || !this.reviewer;
    if (!raw.hidden) {
      this.closeEditor();
      this.rawText.value = this.draft.lines.join('\n');
      this.rawText.focus();
    }
  }

  toggleLineage() {
    const lineage = this.querySelector('#lineage');
    lineage.hidden = !lineage.hidden;
    this.querySelector('[data-act=lineage]').setAttribute('aria-expanded', String(!lineage.hidden));
  }

  // ---- keys and clicks --------------------------------------------------------------------

  commands() {
    const always = {
      j: () => this.move(1),
      ArrowDown: () => this.move(1),
      k: () => this.move(-1),
      ArrowUp: () => this.move(-1),
      f: () => this.nextFailed(),
      t: () => this.toggleRaw(),
      i: () => this.toggleLineage(),
      u: () => this.undo(),
      n: () => this.leaveFor(() => advance(this.id_)),
      q: () => this.leaveFor(() => location.assign('/')),
      Escape: () => this.cancel(),
    };
    if (!this.reviewer) return always;
    return {
      ...always,
      a: () => this.approve(),
      w: () => this.markWrong(),
      e: () => this.edit(),
      c: () => this.submitCorrection(),
      r: () => this.mayDecide() && this.show('reject'),
    };
  }

  key(event) {
    if (event.key === 'Escape' && event.target === this.rawText) {
      this.rawText.blur();
      this.toggleRaw();
      return;
    }
    if (!isCommand(event)) return;
    const tag = this.set === 'reject' && this.querySelector(`[data-tag]:nth-of-type(${event.key})`);
    let action = this.commands()[event.key];
    if (this.set === 'wrong' && event.key === 'Enter') action = () => this.recordWrong();
    if (this.set === 'reject' && /^[1-9]$/.test(event.key) && tag) action = () => this.reject(tag);
    if (!action || (event.key === 'Enter' && event.target.closest('button, a'))) return;
    event.preventDefault();
    action();
  }

  recordWrong() {
    this.decide({ kind: 'reject', firstWrongStep: this.wrongStep }, `Step ${this.wrongStep + 1} marked wrong`);
  }

  reject(button) {
    this.decide(
      { kind: 'reject', reasonTag: button.dataset.tag, firstWrongStep: this.wrongStep },
      'Rejected',
    );
  }

  click(event) {
    const step = event.target.closest('.step');
    const ref = event.target.closest('.ref');
    if (ref) this.select(this.provenance.named(ref.dataset.ref));
    else if (step && !event.target.closest('.step-editor')) this.select(step);
    const button = event.target.closest('[data-act], [data-tag]');
    if (!button) return;
    if (button.dataset.tag) {
      this.reject(button);
      return;
    }
    const actions = {
      approve: () => this.approve(),
      wrong: () => this.markWrong(),
      'record-wrong': () => this.recordWrong(),
      reject: () => this.mayDecide() && this.show('reject'),
      edit: () => this.edit(),
      undo: () => this.undo(),
      next: () => this.leaveFor(() => advance(this.id_)),
      cancel: () => this.cancel(),
      discard: () => this.discard(),
      raw: () => this.toggleRaw(),
      lineage: () => this.toggleLineage(),
      reopen: () => this.reopen(this.id_, this.dataset.decision),
      'submit-correction': () => this.submitCorrection(),
      'restore-draft': () => this.restoreDraft(),
      'discard-draft': () => {
        this.draft.forget();
        this.notice('draft', null);
      },
    };
    actions[button.dataset.act]?.();
  }
}

customElements.define('chain-review', ChainReview);
