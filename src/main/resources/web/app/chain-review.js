// One chain: reading it, correcting it, deciding about it. Every command is a key and a button.
import { Correction } from './correction.js';
import { get, post } from './http.js';
import { isCommand } from './keys.js';
import { Lease } from './lease.js';
import { Merge } from './merge.js';
import { advance, prefetch, remember, skip, undo, undoLast } from './next.js';
import { Provenance } from './provenance.js';
import { toast, toastNext } from './toast.js';

function line(text) {
  const p = document.createElement('p');
  p.textContent = text;
  return p;
}

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
    /** Positions of the steps that somebody went to: passed on is as good as found right. */
    this.rated = new Set();
    this.provenance = new Provenance(this);
    this.correction = new Correction(this, this.id_, this.version);
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
    this.rawText.addEventListener('input', () => this.correction.type(this.rawText.value));
    this.drawMinimap();
    const first = this.steps().find((step) => step.dataset.passed === 'false') ?? this.steps()[0];
    if (first) this.select(first, false);
    if (this.reviewer && this.pending) {
      this.hold();
      this.correction.offer();
      this.show('decide');
      if (this.dataset.disputed === 'true') this.settle();
      prefetch(this.id_);
    } else if (this.reviewer) {
      this.show('closed');
      this.correction.offer();
    }
  }

  hold() {
    this.lease = new Lease(this.id_, {
      onHeld: () => this.notice('lease', null),
      onLost: (holder, had) => this.lost(holder, had),
    });
  }

  disconnectedCallback() {
    document.removeEventListener('keydown', this.onKey);
    this.correction.close();
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
    if (focus) this.rate(Number(step.dataset.position));
  }

  rate(position) {
    this.rated.add(position);
    this.querySelectorAll('.minimap .dot').forEach((dot, i) => dot.classList.toggle('is-rated', this.rated.has(i)));
    const steps = this.steps().length;
    const count = [...this.rated].filter((i) => i < steps).length;
    const box = this.querySelector('.rated');
    box.hidden = !this.reviewer;
    box.textContent = `rated ${count}/${steps}`;
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
        dot.classList.toggle('is-rated', this.rated.has(i));
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
    this.correction.open(Number(this.current.dataset.position));
  }

  /** The steps in the page are others now: after a check. */
  stepsChanged(selected) {
    const steps = this.steps();
    if (!this.querySelector('.raw').hidden && document.activeElement !== this.rawText) {
      this.rawText.value = this.correction.text;
    }
    this.provenance.mark();
    this.drawMinimap();
    this.select(steps[Math.min(selected, steps.length - 1)], false);
    this.show(this.merge ? 'merge' : this.correction.changed ? 'correct' : 'decide');
  }

  // ---- deciding ---------------------------------------------------------------------------

  mayDecide() {
    if (!this.reviewer) return false;
    if (!this.pending && !this.merge) {
      toast('This chain is decided; reopen it first');
      return false;
    }
    return true;
  }

  approve() {
    if (!this.mayDecide()) return;
    if (this.correction.changed) {
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
    for (let i = 0; position !== null && i <= position; i++) this.rate(i);
    this.drawMinimap();
  }

  /** Has the model go on from before the wrong step; what it writes is verified already. */
  async suggest() {
    if (!this.mayDecide() || this.wrongStep === null) return;
    const wrong = this.wrongStep;
    const box = this.querySelector('.suggestions');
    box.hidden = false;
    box.textContent = 'The model is thinking of other ways on …';
    box.scrollIntoView({ block: 'nearest' });
    try {
      const response = await post(`/chains/${this.id_}/suggestions`, { firstWrongStep: wrong });
      const html = await response.text();
      if (this.wrongStep !== wrong) return;
      box.replaceChildren(...new DOMParser().parseFromString(html, 'text/html').body.childNodes);
      box.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      box.hidden = true;
      this.notice('error', error.message);
    }
  }

  async adopt(button) {
    const wrong = this.wrongStep;
    this.querySelector('.suggestions').hidden = true;
    await this.correction.take(button.dataset.chain.split('\n'));
    this.wrongStep = wrong;
    this.select(this.steps()[wrong]);
  }

  submitCorrection() {
    if (!this.mayDecide() || !this.correction.changed) return;
    if (this.correction.problem) {
      this.notice('error', this.correction.problem);
      return;
    }
    this.decide(
      { kind: 'correct', chain: this.correction.text, firstWrongStep: this.wrongStep },
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
      this.correction.forget();
      this.lease?.stop();
      remember({ analysis: this.id_, decision: decision.id, message });
      const told = decision.planted ? ` ${decision.planted}` : '';
      toastNext(`${message}. Press u to undo.${told}`);
      await advance(this.id_);
    } catch (error) {
      this.notice('error', error.message);
      if (error.status === 409) await this.conflict(error.problem, fields);
    } finally {
      this.busy = false;
      this.classList.remove('busy');
    }
  }

  /** Somebody was faster. Nothing is lost: theirs and ours are shown beside each other. */
  async conflict(problem, fields) {
    if (problem.currentStatus === 'pending') {
      // Decided and taken back meanwhile: what was looked at is what waits.
      this.version = problem.currentVersion;
      this.lease?.stop();
      this.hold();
      this.notice('error', `${problem.detail} It waits again: decide once more to store yours.`);
      return;
    }
    if (!problem.standing) {
      const kept = this.correction.changed ? ' Your correction is kept in this browser.' : '';
      this.notice('error', `${problem.detail}${kept}`);
      return;
    }
    if (problem.standing.kind === 'APPROVE' && fields.kind === 'approve') {
      const box = this.querySelector('[data-notice=error] p');
      const reload = document.createElement('a');
      reload.href = `/chains/${this.id_}`;
      reload.textContent = 'Show the current state';
      box.append(' ', reload);
      return;
    }
    await this.openMerge(fields);
  }

  /** Shows what stands beside `fields`, which could not be stored. */
  async openMerge(fields) {
    try {
      const mine = { id: this.request, ...fields, over: null, version: this.version };
      const html = await (await post(`/chains/${this.id_}/merge`, mine)).text();
      const section = new DOMParser().parseFromString(html, 'text/html').querySelector('.merge');
      this.lease?.stop();
      this.mine = mine;
      this.showMerge(section);
    } catch (error) {
      this.notice('error', error.message);
    }
  }

  /** Shows two opinions that differ, for us to settle. */
  async settle() {
    try {
      const html = await (await get(`/chains/${this.id_}/dispute`)).text();
      this.showMerge(new DOMParser().parseFromString(html, 'text/html').querySelector('.merge'));
    } catch (error) {
      this.notice('error', error.message);
    }
  }

  showMerge(section) {
    this.closeMerge();
    this.merge = new Merge(section, (lines) => this.correction.preview(lines));
    const merge = this.merge;
    this.querySelector('.merge-holder').append(section);
    this.classList.add('merging');
    this.querySelectorAll('[data-who]').forEach((el) => {
      el.textContent = merge.who;
    });
    const instead = { approve: 'Approve instead', reject: 'Reject instead' };
    this.querySelector('[data-mine]').textContent = merge.dispute ? `Take ${merge.other}’s` : instead[merge.kind];
    this.querySelector('[data-act=store-mine]').hidden = !merge.dispute && merge.kind === 'correct';
    this.querySelector('[data-keep]').textContent = merge.dispute ? 'Take' : 'Keep';
    this.querySelector('[data-all]').textContent = merge.dispute ? `${merge.other}’s` : 'mine';
    this.querySelectorAll('[data-merging]').forEach((el) => {
      el.hidden = !merge.differs;
    });
    this.notice('draft', null);
    this.setWrong(null);
    merge.changed();
    merge.focus(0);
    section.scrollIntoView({ block: 'start' });
  }

  closeMerge() {
    this.merge?.section.remove();
    this.merge = null;
    this.classList.remove('merging');
  }

  mergeState() {
    const failed = Number(this.querySelector('.steps').dataset.failed);
    const verdict = this.correction.problem ? 'not a chain yet' : failed ? `${failed} failed` : 'all verified';
    return `The outcome: ${verdict}.`;
  }

  /** Stores what was chosen in place of what stands. */
  storeMerge() {
    if (this.correction.problem) {
      this.notice('error', this.correction.problem);
      return;
    }
    const fields = this.correction.changed ? { kind: 'correct', chain: this.correction.text } : { kind: 'approve' };
    this.replaceWith(fields);
  }

  storeMine() {
    if (this.merge.dispute) this.replaceWith(this.merge.decision('right'));
    else if (this.mine.kind !== 'correct') this.replaceWith(this.mine);
  }

  replaceWith(fields) {
    const { dispute, over, version } = this.merge;
    this.decide(dispute ? fields : { ...fields, over, version, token: null }, dispute ? 'Settled' : 'Stored');
  }

  keepTheirs() {
    if (this.merge.dispute) {
      this.replaceWith(this.merge.decision('left'));
      return;
    }
    this.correction.forget();
    toastNext(`${this.merge.who}'s version stands.`);
    advance(this.id_);
  }

  async undo() {
    try {
      if (!(await undoLast())) toast('Nothing to undo');
    } catch (error) {
      this.notice('error', error.message);
    }
  }

  async reopen() {
    try {
      await undo(this.id_, this.dataset.decision);
    } catch (error) {
      this.notice('error', error.message);
    }
  }

  async leaveFor(next) {
    if (this.pending) skip(this.id_);
    await this.lease?.release();
    await next();
  }

  /** A draft of a chain that somebody decided meanwhile: beside what stands. */
  compareDraft() {
    const kept = this.correction.kept();
    if (kept) this.openMerge({ kind: 'correct', chain: kept.join('\n') });
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
    if (set === 'correct') message = this.correction.state();
    if (set === 'merge') message = this.mergeState();
    if (text && message) text.textContent = message;
  }

  notice(name, text) {
    const box = this.querySelector(`[data-notice=${name}]`);
    box.hidden = text === null;
    box.querySelector('p').textContent = text ?? '';
  }

  async cancel() {
    if (this.wrongStep !== null) this.setWrong(null);
    this.querySelector('.suggestions').hidden = true;
    this.show(this.correction.changed ? 'correct' : 'decide');
  }

  toggleRaw() {
    const raw = this.querySelector('.raw');
    raw.hidden = !raw.hidden;
    this.querySelector('[data-act=raw]').setAttribute('aria-pressed', String(!raw.hidden));
    this.rawText.readOnly = !this.pending || !this.reviewer;
    if (!raw.hidden) {
      this.correction.close();
      this.rawText.value = this.correction.text;
      this.rawText.focus();
    }
  }

  toggleLineage() {
    const lineage = this.querySelector('#lineage');
    lineage.hidden = !lineage.hidden;
    this.querySelector('[data-act=lineage]').setAttribute('aria-expanded', String(!lineage.hidden));
  }

  /** Has the model write the chain again; the answer stays with what produced it. */
  async replay() {
    if (this.querySelector('#lineage').hidden) this.toggleLineage();
    const box = this.querySelector('.replay-result');
    const button = this.querySelector('[data-act=replay]');
    if (button.disabled) return;
    button.disabled = true;
    box.replaceChildren(line('The model is writing it again …'));
    try {
      const html = await (await post(`/chains/${this.id_}/replay`)).text();
      box.replaceChildren(...new DOMParser().parseFromString(html, 'text/html').body.childNodes);
    } catch (error) {
      box.replaceChildren(line(error.message));
    } finally {
      button.disabled = false;
    }
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
    if (this.merge) {
      return {
        ...always,
        j: () => this.merge.move(1),
        k: () => this.merge.move(-1),
        1: () => this.merge.pick('left'),
        2: () => this.merge.pick('right'),
        '[': () => this.merge.pickAll('left'),
        ']': () => this.merge.pickAll('right'),
        c: () => this.merge.differs && this.storeMerge(),
        m: () => this.storeMine(),
        y: () => this.keepTheirs(),
        e: () => this.edit(),
        Escape: () => {},
      };
    }
    return {
      ...always,
      a: () => this.approve(),
      w: () => this.markWrong(),
      e: () => this.edit(),
      c: () => this.submitCorrection(),
      x: () => this.set === 'correct' && this.correction.discard(),
      s: () => this.suggest(),
      r: () => this.mayDecide() && this.show('reject'),
      p: () => this.replay(),
    };
  }

  key(event) {
    if (event.key === 'Escape' && event.target === this.rawText) {
      this.rawText.blur();
      this.toggleRaw();
      return;
    }
    if (!isCommand(event)) return;
    let action = this.commands()[event.key];
    const suggestion =
      /^[1-9]$/.test(event.key) && this.querySelector(`.suggestions:not([hidden]) [data-suggestion="${event.key}"]`);
    if (this.set === 'wrong' && suggestion) action = () => this.adopt(suggestion);
    if (this.set === 'wrong' && event.key === 'Enter') action = () => this.recordWrong();
    const tag = /^[1-9]$/.test(event.key) && this.querySelectorAll('[data-tag]')[event.key - 1];
    if (this.set === 'reject' && tag) action = () => this.reject(tag);
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
    const button = event.target.closest('[data-act], [data-tag], [data-suggestion]');
    if (!button) return;
    if (button.dataset.suggestion) {
      this.adopt(button);
      return;
    }
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
      suggest: () => this.suggest(),
      undo: () => this.undo(),
      next: () => this.leaveFor(() => advance(this.id_)),
      cancel: () => this.cancel(),
      discard: () => this.correction.discard(),
      raw: () => this.toggleRaw(),
      lineage: () => this.toggleLineage(),
      replay: () => this.replay(),
      reopen: () => this.reopen(),
      'submit-correction': () => this.submitCorrection(),
      'store-merge': () => this.storeMerge(),
      'store-mine': () => this.storeMine(),
      'keep-theirs': () => this.keepTheirs(),
      'all-theirs': () => this.merge.pickAll('left'),
      'all-mine': () => this.merge.pickAll('right'),
      'compare-draft': () => this.compareDraft(),
      'restore-draft': () => this.correction.restore(),
      'discard-draft': () => {
        this.correction.forget();
        this.notice('draft', null);
      },
    };
    actions[button.dataset.act]?.();
  }
}

customElements.define('chain-review', ChainReview);
