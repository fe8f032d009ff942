// Pause, resume, stop, requeue, and the limits of VMs and money: only on a server that allows it and with its token.
import type { ControlAction, ControlRequest, JobView } from '../api.ts'
import { byId, fill, make, setText } from './dom.ts'
import { messageOf } from './message.ts'
import { finished, type Store } from './store.ts'

const NAMES: Readonly<Record<ControlAction, string>> = {
  pause: 'pausing',
  resume: 'resuming',
  stop: 'stopping',
  requeue: 'putting failed tasks back into the queue',
  limits: 'changing the limits',
}

export function startControlsPanel(store: Store): void {
  const { control } = store.source
  const panel = byId('controls')
  const said = make('p', { class: 'muted', role: 'status' })
  const pause = make('button', { type: 'button' }, 'Pause')
  const stop = make('button', { type: 'button' }, 'Stop')
  const requeue = make('button', { type: 'button' }, 'Requeue failed')
  const vms = make('input', { type: 'number', min: 0, step: 1, name: 'max-instances' })
  const usd = make('input', { type: 'number', min: 0, step: 'any', name: 'max-total-cost' })
  const apply = make('button', { type: 'submit' }, 'Set limits')
  const limits = make(
    'form',
    { class: 'filters' },
    make('label', {}, make('span', {}, 'Most VMs'), vms),
    make('label', {}, make('span', {}, 'Most dollars'), usd),
    apply,
  )
  fill(panel, make('div', { class: 'controls' }, make('div', { class: 'buttons' }, pause, stop, requeue), limits), said)
  let refusal: string | undefined

  const send = async (request: ControlRequest) => {
    refusal = undefined
    try {
      await control?.(request)
    } catch (error) {
      refusal = messageOf(error)
    }
    show()
  }
  pause.addEventListener('click', () => send({ action: store.job.current?.controls.paused ? 'resume' : 'pause' }))
  requeue.addEventListener('click', () => send({ action: 'requeue' }))
  stop.addEventListener('click', () => {
    if (confirm('Stop the job? Its VMs are ended; tasks that are not done stay in the queue.'))
      void send({ action: 'stop' })
  })
  limits.addEventListener('submit', event => {
    event.preventDefault()
    const [maxInstances, maxTotalCostUsd] = [numberIn(vms), numberIn(usd)]
    if (maxInstances === undefined && maxTotalCostUsd === undefined) return
    void send({
      action: 'limits',
      ...(maxInstances === undefined ? undefined : { maxInstances }),
      ...(maxTotalCostUsd === undefined ? undefined : { maxTotalCostUsd }),
    })
  })

  function show(): void {
    const job = store.job.current
    panel.hidden = job === undefined || !job.control
    if (job === undefined || panel.hidden) return
    const able = control !== undefined && job.managerAlive
    for (const element of [pause, stop, requeue, apply, vms, usd]) element.disabled = !able
    requeue.disabled ||= job.failedCount === 0
    pause.disabled ||= finished(job)
    setText(pause, job.controls.paused ? 'Resume' : 'Pause')
    vms.placeholder = job.controls.maxInstances === undefined ? 'no limit' : String(job.controls.maxInstances)
    usd.placeholder = job.controls.maxTotalCostUsd === undefined ? 'no limit' : String(job.controls.maxTotalCostUsd)
    setText(said, refusal ?? sentenceFor(job, control !== undefined))
    said.classList.toggle('bad', refusal !== undefined || job.controls.failed !== undefined)
  }
  store.job.watch(show)
}

function sentenceFor({ managerAlive, controls }: JobView, token: boolean): string {
  if (!token) return 'To control the job, open the address that the dashboard printed: it ends in a token.'
  if (!managerAlive) return 'No manager runs: there is nobody to carry out a command.'
  const [next] = controls.pending
  if (next !== undefined) return `The manager is ${NAMES[next]}.`
  if (controls.failed !== undefined) return `${NAMES[controls.failed.action]} failed: ${controls.failed.error}`
  return controls.paused ? 'Paused: no VM runs; resume starts new ones.' : ''
}

function numberIn(input: HTMLInputElement): number | undefined {
  return input.value === '' || !Number.isFinite(input.valueAsNumber) ? undefined : input.valueAsNumber
}
