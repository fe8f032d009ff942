// The line at the top: which job this is, how it stands, and whether the page still hears of it.
import type { JobView } from '../api.ts'
import { byId, setText } from './dom.ts'
import { formatPercent, formatTime } from './format.ts'
import { finished, type Store } from './store.ts'

type Tone = 'good' | 'busy' | 'bad' | 'calm'

export function startTopBar(store: Store): void {
  const [name, state, origin, foot] = [byId('job'), byId('state'), byId('origin'), byId('foot')]
  const trouble = byId('trouble')
  const show = () => {
    const job = store.job.current
    const sentence = store.trouble.current ?? job?.trouble
    setText(trouble, sentence ?? '')
    trouble.hidden = sentence === undefined
    if (job === undefined) return
    const { text, tone } = stateOf(job, store)
    setText(name, job.jobId ?? 'A job without a name')
    setText(state, text)
    state.dataset.tone = tone
    setText(origin, [job.provider, job.taskFile, startText(job)].filter(part => part !== undefined).join(' · '))
    setText(foot, footText(job, store))
    document.title = `${formatPercent(job.doneCount, job.total)} ${job.jobId ?? 'job'} – Cloud Tasks`
  }
  store.job.watch(show)
  store.connected.watch(show)
  store.trouble.watch(show)
}

function stateOf(job: JobView, { connected, source }: Store): { text: string; tone: Tone } {
  if (!connected.current) return { text: 'Connection lost, trying again', tone: 'bad' }
  if (finished(job)) {
    return job.failedCount > 0 ? { text: 'Ended with failures', tone: 'bad' } : { text: 'Complete', tone: 'good' }
  }
  if (source.archivedAt !== undefined) return { text: 'Unfinished', tone: 'calm' }
  if (job.controls.paused) return { text: 'Paused', tone: 'calm' }
  return job.managerAlive ? { text: 'Running', tone: 'busy' } : { text: 'No manager looks after it now', tone: 'calm' }
}

function startText({ startedAt }: JobView): string | undefined {
  return startedAt === undefined ? undefined : `since ${formatTime(new Date(startedAt))}`
}

function footText(job: JobView, { source }: Store): string {
  if (source.archivedAt !== undefined) {
    return [`As of ${new Date(source.archivedAt).toLocaleString('en-GB')}.`, source.omitted].filter(Boolean).join(' ')
  }
  const reading = job.indexedShare < 1 ? `Reading the database: ${formatPercent(job.indexedShare, 1)}. ` : ''
  const changed =
    job.dbChangedAt === undefined
      ? ''
      : `The database last changed ${formatTime(new Date(job.dbChangedAt), { seconds: true })}.`
  return `${reading}${changed}`
}
