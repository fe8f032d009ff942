// Makes and fills elements. Text only ever becomes text: nothing here, or anywhere on the page, parses markup.

type Child = Node | string | number | undefined | false
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** `undefined` and `false` leave an attribute out, `true` sets it without a value. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    element.setAttribute(name, value === true ? '' : String(value))
  }
  fill(element, ...children)
  return element
}

/** Replaces what is in an element. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...children.filter(present).map(child => (typeof child === 'number' ? String(child) : child)))
}

/** Changes the text only if it is another one, so that a screen reader and a selection are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`The page has no element "${id}".`)
  return element
}

function present(child: Child): child is Node | string | number {
  return child !== undefined && child !== false
}
