// The job as the dashboard's server tells it: answers by fetch, changes by server-sent events.
import type { ApiError, ControlRequest, JobView, SeriesView, StreamEventName, VmsView } from '../api.ts'
import type { Listener, Source, TaskQuery, TimeRange } from './source.ts'

const ANSWER_LIMIT_MS = 20_000 // a server on this machine; longer means that it hangs
const RECONNECT_MS = 2000
const SILENCE_LIMIT_MS = 40_000 // the server's heart beats every 15 s
const SERIES_POINTS = 300
const LEAST_POINTS = 20
const PAGE_ROWS = 50

export function openLiveSource(token: string | undefined): Source {
  return {
    archivedAt: undefined,
    omitted: undefined,
    job: () => ask('/api/job'),
    series: range => ask(`/api/series?${rangeText(range)}points=${pointsIn(range)}`),
    tasks: (query, after) => ask(`/api/tasks?${queryText(query, after)}`),
    task: taskId => ask(`/api/task?id=${encodeURIComponent(taskId)}`),
    exceptions: () => ask('/api/exceptions'),
    slowest: () => ask('/api/slowest'),
    histogram: () => ask('/api/histogram'),
    vms: () => ask('/api/vms'),
    spans: (vmId, range) => ask(`/api/vms/${encodeURIComponent(vmId)}/tasks?${rangeText(range)}`),
    follow,
    control: token === undefined ? undefined : request => control(request, token),
  }
}

async function ask<T>(address: string): Promise<T> {
  const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) })
  if (!response.ok) throw new Error(await sentenceOf(response))
  return (await response.json()) as T // the server's own types, in ../api.ts
}

async function control(request: ControlRequest, token: string): Promise<void> {
  const response = await fetch('/api/control', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  })
  if (!response.ok) throw new Error(await sentenceOf(response))
}

async function sentenceOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => undefined)) as Partial<ApiError> | undefined
  return body?.error ?? `The server answered ${response.status}.`
}

/** Shorter than a second is not the speed of a job any more, but single tasks: the timeline shows those. */
function pointsIn(range: TimeRange | undefined): number {
  if (range === undefined) return SERIES_POINTS
  return Math.max(LEAST_POINTS, Math.min(SERIES_POINTS, Math.ceil(range.toS - range.fromS)))
}

function rangeText(range: TimeRange | undefined): string {
  return range === undefined ? '' : `from=${range.fromS}&to=${range.toS}&`
}

function queryText(query: TaskQuery, after: string | undefined): string {
  const text = new URLSearchParams({ sort: query.sort, dir: query.descending ? 'desc' : 'asc', limit: `${PAGE_ROWS}` })
  for (const name of ['status', 'exception', 'vm', 'search'] as const) {
    if (query[name] !== '') text.set(name, query[name])
  }
  if (after !== undefined) text.set('after', after)
  return text.toString()
}

/** Follows for as long as the page lives: a stream that breaks, is refused or falls silent is opened again. */
function follow(listener: Listener): void {
  const stream = new EventSource('/api/stream')
  let lastHeardAt = Date.now()
  const on = <T>(name: StreamEventName, handle: (data: T) => void) => {
    stream.addEventListener(name, event => {
      lastHeardAt = Date.now()
      listener.connected(true)
      handle(JSON.parse(event.data) as T) // the server's own types, in ../api.ts
    })
  }
  on<JobView>('job', listener.job)
  on<SeriesView>('series', listener.series)
  on<VmsView>('vms', listener.vms)
  on('heartbeat', () => undefined)
  on('reset', listener.reset)
  stream.addEventListener('open', () => listener.connected(true))
  stream.addEventListener('error', () => listener.connected(false))
  const watch = setInterval(() => {
    const silent = Date.now() - lastHeardAt > SILENCE_LIMIT_MS
    if (stream.readyState !== EventSource.CLOSED && !silent) return
    clearInterval(watch)
    stream.close()
    listener.connected(false)
    follow(listener)
  }, RECONNECT_MS)
}
