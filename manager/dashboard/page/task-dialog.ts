// Everything about one task, in a dialog: what it was given, each attempt, its last words, what came of it.
import type { AttemptView, TaskDetail } from '../api.ts'
import { fill, make } from './dom.ts'
import { formatBytes, formatDuration, formatTime, formatUsd } from './format.ts'
import { messageOf } from './message.ts'
import { outcomeMark, statusMark } from './status.ts'
import type { Store } from './store.ts'

export function startTaskDialog(store: Store): void {
  const dialog = document.querySelector('dialog')
  if (dialog === null) return
  dialog.addEventListener('close', () => store.openTask.set(undefined))
  dialog.addEventListener('click', event => {
    if (event.target === dialog) dialog.close() // beside it
  })
  store.openTask.watch(taskId => {
    if (taskId === undefined) {
      dialog.close()
      return
    }
    void show(dialog, taskId, store)
  })
}

async function show(dialog: HTMLDialogElement, taskId: string, store: Store): Promise<void> {
  const body = make('div', {}, make('p', { class: 'muted' }, 'Reading…'))
  const close = make('button', { type: 'button' }, 'Close')
  close.addEventListener('click', () => dialog.close())
  const title = make('h2', { id: 'detail-title' }, 'Task ', make('span', { class: 'id' }, taskId))
  fill(dialog, make('header', {}, title, close), body)
  if (!dialog.open) dialog.showModal()
  try {
    const task = await store.source.task(taskId)
    if (store.openTask.current === taskId) fill(body, ...describeTask(task))
  } catch (error) {
    fill(body, make('p', { class: 'bad' }, messageOf(error)))
  }
}

function describeTask(task: TaskDetail): HTMLElement[] {
  const facts = [
    ['Status', statusMark(task.status)],
    ['Sent', timeOf(task.enqueuedAt)],
    ['Ended', timeOf(task.endedAt)],
    ['Time', task.elapsedSeconds === undefined ? undefined : formatDuration(task.elapsedSeconds)],
    ['Attempts', task.attempts.length || undefined],
    ['Cost', task.costUsd === undefined ? undefined : formatUsd(task.costUsd)],
    ['Exit code', task.exitCode],
    ['Kind', task.type],
    ['Priority', task.priority],
    ['Not before', timeOf(task.notBefore)],
    ['Dead letter', task.deadLetter],
  ] as const
  return [
    makeFacts(facts),
    ...block('Result', pretty(task.result)),
    ...block('Exception', task.exception),
    ...block('Data', pretty(task.data)),
    ...(task.attempts.length > 0 ? [make('h3', {}, 'Attempts')] : []),
    ...task.attempts.map(describeAttempt),
  ]
}

function describeAttempt(attempt: AttemptView, index: number, all: readonly AttemptView[]): HTMLElement {
  const summary = make(
    'summary',
    {},
    `${attempt.attempt ?? index + 1}. `,
    outcomeMark(attempt.outcome),
    attempt.elapsedSeconds === undefined ? undefined : ` after ${formatDuration(attempt.elapsedSeconds)}`,
    attempt.retry === true ? ', to be tried again' : undefined,
  )
  const facts = [
    ['VM', attempt.vmId],
    ['Host', attempt.hostname],
    ['Began', timeOf(attempt.startedAt)],
    ['Ended', timeOf(attempt.endedAt)],
    ['Processor', attempt.cpuSeconds === undefined ? undefined : formatDuration(attempt.cpuSeconds)],
    ['Memory', attempt.maxRssBytes === undefined ? undefined : formatBytes(attempt.maxRssBytes)],
    ['Exit code', attempt.exitCode],
    ['Reason', attempt.reason],
    ['Log', attempt.logUrl],
  ] as const
  return make(
    'details',
    { class: 'attempt', open: index === all.length - 1 },
    summary,
    makeFacts(facts),
    ...block('Exception', attempt.exception),
    ...block('Last log lines', attempt.logTail),
    make('details', { class: 'small' }, make('summary', {}, 'The event as it came'), text(pretty(attempt.raw) ?? '')),
  )
}

function makeFacts(facts: readonly (readonly [string, Node | string | number | undefined])[]): HTMLElement {
  const known = facts.filter(([, value]) => value !== undefined)
  return make(
    'dl',
    { class: 'facts' },
    ...known.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))),
  )
}

function block(title: string, content: string | undefined): HTMLElement[] {
  return content === undefined || content === '' ? [] : [make('h3', {}, title), text(content)]
}

function text(content: string): HTMLElement {
  return make('pre', { tabindex: 0 }, content)
}

/** JSON on several lines; what is cut or no JSON as it is. */
function pretty(json: string | undefined): string | undefined {
  if (json === undefined) return undefined
  try {
    return exact(json) ? JSON.stringify(JSON.parse(json), undefined, 2) : json
  } catch (error) {
    if (error instanceof SyntaxError) return json
    throw error
  }
}

/** Digits that a JavaScript number would lose are shown as they came. */
function exact(json: string): boolean {
  return !/\d{16}/.test(json)
}

function timeOf(iso: string | undefined): string | undefined {
  return iso === undefined ? undefined : formatTime(new Date(iso), { seconds: true })
}
