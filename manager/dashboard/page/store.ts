// All that the parts of the page share: what is known of the job, and what the reader looks at.
import type { ExceptionGroupView, JobView, SeriesView, VmRow } from '../api.ts'
import type { Source, TaskQuery, TimeRange } from './source.ts'
import { makeValue, type Value } from './value.ts'

export interface Store {
  readonly source: Source
  readonly job: Value<JobView | undefined>
  /** Of `range`. */
  readonly series: Value<SeriesView | undefined>
  /** Oldest first. */
  readonly vms: Value<readonly VmRow[]>
  /** Most frequent first. */
  readonly exceptions: Value<readonly ExceptionGroupView[]>
  readonly connected: Value<boolean>
  /** Why the last question was not answered, as a sentence. */
  readonly trouble: Value<string | undefined>
  /** What charts and timeline show; undefined = the whole job, as it grows. */
  readonly range: Value<TimeRange | undefined>
  readonly query: Value<TaskQuery>
  /** Shown in the dialog. */
  readonly openTask: Value<string | undefined>
}

export const ALL_TASKS: TaskQuery = {
  status: '',
  exception: '',
  vm: '',
  search: '',
  sort: 'order',
  descending: false,
}

export function makeStore(source: Source): Store {
  return {
    source,
    job: makeValue<JobView | undefined>(undefined),
    series: makeValue<SeriesView | undefined>(undefined),
    vms: makeValue<readonly VmRow[]>([]),
    exceptions: makeValue<readonly ExceptionGroupView[]>([]),
    connected: makeValue(true),
    trouble: makeValue<string | undefined>(undefined),
    range: makeValue<TimeRange | undefined>(undefined),
    query: makeValue(ALL_TASKS),
    openTask: makeValue<string | undefined>(undefined),
  }
}

/** The page's clock: the server's at its last word, so that an archive or another time zone's clock is no trouble. */
export function nowOf(job: JobView | undefined): Date {
  return job === undefined ? new Date() : new Date(job.now)
}

/** Over, whatever became of it. */
export function finished(job: JobView): boolean {
  return job.total > 0 && job.doneCount === job.total
}

/** The rows that match `change`, and none of the narrowing before. */
export function showTasks(store: Store, change: Partial<TaskQuery>): void {
  store.query.set({ ...ALL_TASKS, ...change })
  const table = document.getElementById('tasks')
  table?.scrollIntoView({ block: 'start' })
  table?.focus({ preventScroll: true })
}
