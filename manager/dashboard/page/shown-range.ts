// The span of time that charts and timeline show: what the reader chose, or the whole job as it grows.
import type { TimeRange } from './source.ts'
import { finished, nowOf, type Store } from './store.ts'

export function shownRange(store: Store): TimeRange {
  return store.range.current ?? wholeRange(store)
}

/** From the first VM or task to the last; while the job runs, to now. */
export function wholeRange({ series, job, vms }: Store): TimeRange {
  const { t = [], bucketSeconds = 0 } = series.current ?? {}
  const nowS = nowOf(job.current).getTime() / 1000
  const begins = [t[0], epochS(job.current?.startedAt), epochS(vms.current[0]?.launchedAt)].filter(
    at => at !== undefined,
  )
  const fromS = begins.length === 0 ? nowS - 60 : Math.min(...begins)
  const over = job.current !== undefined && finished(job.current)
  const ends = over
    ? [epochS(job.current?.finishedAt) ?? fromS, ...vms.current.map(vm => epochS(vm.endedAt) ?? 0)]
    : [nowS, (t.at(-1) ?? fromS) + bucketSeconds]
  return { fromS, toS: ends.reduce((last, at) => Math.max(last, at), fromS + 1) }
}

export function epochS(iso: string | undefined): number | undefined {
  return iso === undefined ? undefined : Date.parse(iso) / 1000
}
