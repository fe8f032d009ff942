// The rows of the task table. A row stays the same element while its task is in view, so that focus and selection stay.
import type { TaskRow } from '../api.ts'
import { fill, make } from './dom.ts'
import { formatDuration, formatTime, UNKNOWN } from './format.ts'
import { statusMark } from './status.ts'
import { nowOf, type Store } from './store.ts'

export interface TaskRows {
  readonly body: HTMLElement
  show(rows: readonly TaskRow[]): void
}

export function makeTaskRows(store: Store): TaskRows {
  const body = make('tbody')
  let shown = new Map<string, { readonly row: HTMLElement; readonly text: string }>()
  return {
    body,
    show(rows) {
      const next = new Map<string, { readonly row: HTMLElement; readonly text: string }>()
      for (const task of rows) {
        const text = JSON.stringify(task)
        const old = shown.get(task.taskId)
        const row = old?.row ?? makeRow(store, task.taskId)
        if (old?.text !== text) fillRow(row, task, nowOf(store.job.current))
        next.set(task.taskId, { row, text })
      }
      const elements = [...next.values()].map(({ row }) => row)
      const same =
        elements.length === body.children.length && elements.every((row, index) => row === body.children[index])
      shown = next
      if (same) return
      const focused = document.activeElement
      fill(body, ...elements)
      if (focused instanceof HTMLElement && body.contains(focused)) focused.focus({ preventScroll: true })
    },
  }
}

/** The first cell stays; the others are filled anew when the task changes. */
function makeRow(store: Store, taskId: string): HTMLElement {
  const button = make('button', { class: 'plain link id', type: 'button' }, taskId)
  button.addEventListener('click', () => store.openTask.set(taskId))
  return make('tr', {}, make('th', { scope: 'row' }, button))
}

function fillRow(row: HTMLElement, task: TaskRow, today: Date): void {
  const head = row.firstElementChild
  if (head === null) return
  const ended = task.endedAt === undefined ? UNKNOWN : formatTime(new Date(task.endedAt), { seconds: true, today })
  fill(
    row,
    head,
    make('td', {}, statusMark(task.status)),
    make('td', { class: 'number' }, task.attempt ?? UNKNOWN),
    make('td', { class: 'number' }, task.elapsedSeconds === undefined ? UNKNOWN : formatDuration(task.elapsedSeconds)),
    make('td', {}, ended),
    make('td', { class: 'spare id' }, task.vmId ?? task.hostname ?? UNKNOWN),
    make('td', { class: 'spare id cut' }, task.exception ?? task.result ?? ''),
  )
}
