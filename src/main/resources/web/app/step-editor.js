// Edits one step in its place. Results are the server's to compute, so they follow while typing.

export class StepEditor {
  /** @param onChange called with the new line; @param onClose called when the editor is left */
  constructor(step, line, { onChange, onClose, onInsert, onRemove }) {
    this.step = step;
    this.box = document.createElement('div');
    this.box.className = 'step-editor';
    this.area = document.createElement('textarea');
    this.area.rows = 1;
    this.area.spellcheck = false;
    this.area.value = line;
    this.area.setAttribute('aria-label', `Step ${Number(step.dataset.position) + 1}, edit`);
    const tools = document.createElement('div');
    tools.className = 'step-tools';
    tools.append(
      this.button('Done', 'Enter', () => onClose()),
      this.button('Add step below', '', onInsert),
      this.button('Remove step', '', onRemove),
    );
    this.box.append(this.area, tools);
    step.classList.add('editing');
    step.querySelector('.step-line').after(this.box);
    this.area.addEventListener('input', () => {
      this.fit();
      onChange(this.area.value.replace(/\s*\n\s*/g, ' '));
    });
    this.area.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === 'Escape') {
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }
    });
    this.fit();
    this.area.focus();
    this.area.setSelectionRange(this.area.value.length, this.area.value.length);
  }

  button(label, key, action) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = label;
    if (key) {
      const hint = document.createElement('kbd');
      hint.textContent = key;
      button.prepend(hint, ' ');
    }
    button.addEventListener('click', action);
    return button;
  }

  fit() {
    this.area.style.height = 'auto';
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
  }

  /** Takes verdict and difference of the freshly checked step, leaving what is typed alone. */
  show(checked) {
    this.step.querySelector('.step-check').replaceWith(checked.querySelector('.step-check'));
    this.step.querySelector('.step-line').replaceWith(checked.querySelector('.step-line'));
    for (const name of ['text', 'places', 'source', 'name', 'passed', 'kind']) {
      this.step.dataset[name] = checked.dataset[name];
    }
    this.step.classList.toggle('is-failed', checked.classList.contains('is-failed'));
    this.step.classList.toggle('is-changed', checked.classList.contains('is-changed'));
  }

  remove() {
    this.box.remove();
    this.step.classList.remove('editing');
  }
}
