// Light, dark, or as the system has it; and the colours of the style sheet for what is drawn on a canvas.
import { byId, setText } from './dom.ts'
import { makeValue } from './value.ts'

export type ColorName =
  | 'ink'
  | 'muted'
  | 'line'
  | 'surface'
  | 'sunken'
  | 'accent'
  | 'completed'
  | 'running'
  | 'waiting'
  | 'retry'
  | 'failed'
  | 'boot'
  | 'working'
  | 'idle'

type Choice = 'system' | 'light' | 'dark'

const NEXT: Readonly<Record<Choice, Choice>> = { system: 'light', light: 'dark', dark: 'system' }
const NAMES: Readonly<Record<Choice, string>> = { system: 'System', light: 'Light', dark: 'Dark' }
const KEY = 'cloud-tasks-theme'

/** Changes whenever canvases have to be drawn in other colours. */
export const paintedTheme = makeValue(0)

/** The style sheet's value may depend on the theme; an element that wears it knows what comes of it. */
export function color(name: ColorName): string {
  const probe = byId('color-probe')
  probe.style.color = `var(--${name})`
  return getComputedStyle(probe).color
}

export function startTheme(): void {
  const button = byId('theme')
  let choice = readChoice()
  const show = () => {
    if (choice === 'system') document.documentElement.removeAttribute('data-theme')
    else document.documentElement.setAttribute('data-theme', choice)
    setText(button, `${NAMES[choice]} theme`)
    paintedTheme.set(paintedTheme.current + 1)
  }
  button.addEventListener('click', () => {
    choice = NEXT[choice]
    storeChoice(choice)
    show()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show)
  matchMedia('print').addEventListener('change', show)
  show()
}

/** A page opened from a file may have no storage: the choice then lasts as long as the page. */
function readChoice(): Choice {
  try {
    const stored = localStorage.getItem(KEY)
    return stored === 'light' || stored === 'dark' ? stored : 'system'
  } catch (error) {
    if (error instanceof DOMException) return 'system'
    throw error
  }
}

function storeChoice(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice)
  } catch (error) {
    if (!(error instanceof DOMException)) throw error
  }
}
