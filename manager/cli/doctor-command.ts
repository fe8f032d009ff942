// doctor: tries everything that a job needs, the cheap way, and says what is missing before money is spent.
import { accessSync, constants, existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { messageOf, UserError } from '../../core/errors.ts'
import { openJobDb } from '../job-db.ts'
import { firstLaunch } from '../plan.ts'
import { startupScriptFor } from '../startup-scripts.ts'
import type { Invocation } from './invocation.ts'
import { loadJobChoices } from './load-catalog.ts'
import { type OpenJob, openJob } from './open-job.ts'
import { openPool } from './prepare-job.ts'

interface Check {
  readonly name: string
  /** Resolves to what is well; throws what is not. */
  readonly try: (job: OpenJob, invocation: Invocation) => Promise<string>
}

interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
}

const CHECKS: readonly Check[] = [
  { name: 'queues', try: tryQueue },
  { name: 'VMs', try: listVms },
  { name: 'offers', try: findOffer },
  { name: 'task', try: findTask },
  { name: 'object store', try: tryObjects },
  { name: 'database', try: findDatabase },
  { name: 'disk', try: findDiskSpace },
  { name: 'clock', try: compareClocks },
]

export async function doctorCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const json = options.has('json')
  await using job = await openJob(invocation)
  const findings: Finding[] = []
  for (const check of CHECKS) {
    const finding = await find(check, job, invocation)
    findings.push(finding)
    if (!json) terminal.print(`${finding.ok ? 'ok   ' : 'FAIL '} ${finding.check.padEnd(13)} ${finding.detail}`)
  }
  const failedCount = findings.filter(({ ok }) => !ok).length
  if (json) terminal.print(JSON.stringify(findings, undefined, 2))
  else terminal.print(failedCount === 0 ? 'All is well.' : `${failedCount} of ${findings.length} checks failed.`)
  return failedCount === 0 ? 0 : 1
}

async function find(check: Check, job: OpenJob, invocation: Invocation): Promise<Finding> {
  try {
    return { check: check.name, ok: true, detail: await check.try(job, invocation) }
  } catch (error) {
    return { check: check.name, ok: false, detail: messageOf(error) }
  }
}

/** In a queue of its own, which is gone afterwards. */
async function tryQueue({ provider, jobId, config }: OpenJob): Promise<string> {
  const queue = provider.openQueue(`${jobId}-doctor`, { leaseSeconds: config.tasks.leaseSeconds })
  const startedAt = performance.now()
  await queue.admin.ensure()
  try {
    await queue.send([{ body: '{"task_id":"doctor","data":{}}' }])
    const [delivery] = await queue.receive({ maxMessages: 1, waitSeconds: 10 })
    if (delivery === undefined) throw new UserError('A message that was sent did not arrive within 10 s.')
    await queue.ack([delivery.receipt])
  } finally {
    await queue.admin.remove()
  }
  return `made a queue, sent, received and deleted a message in ${Math.round(performance.now() - startedAt)} ms`
}

async function listVms(job: OpenJob): Promise<string> {
  const active = (await openPool(job).list()).filter(vm => vm.state !== 'terminated')
  return `can be listed; ${active.length} of this job now`
}

async function findOffer(job: OpenJob, invocation: Invocation): Promise<string> {
  const choices = await loadJobChoices(job, invocation)
  const { launch, choice, reason } = firstLaunch(choices, job.config, undefined)
  const { instanceType, zone, priceUsdPerHour } = (launch?.choices[0] ?? choice).offer
  if (launch === undefined) throw new UserError(`${choices.length} offers fit, but ${reason}.`)
  return `${choices.length} fit; best is ${instanceType} in ${zone} at $${priceUsdPerHour}/h; up to ${launch.vmCount} VMs`
}

async function findTask(job: OpenJob, invocation: Invocation): Promise<string> {
  const { config, jobId, queues } = job
  const [choice] = await loadJobChoices(job, invocation)
  if (choice !== undefined) startupScriptFor(choice, { config, jobId, queueName: queues.tasks.name, extra: {} })
  const { task, folder, startupScript } = config.boot
  if (startupScript !== undefined) return 'VMs boot with a startup script of your own'
  const file = /(?:^|\s)(\.{0,2}\/[^\s:]+|[^\s:-][^\s:]*\.(?:[cm]?[jt]s|py))/.exec(task ?? '')?.[1]
  if (file === undefined) return `${task}`
  if (!existsSync(resolve(folder, file))) throw new UserError(`There is no ${file} in ${folder}.`)
  return `${file} is there`
}

async function tryObjects({ provider, jobId }: OpenJob): Promise<string> {
  const objects = provider.openObjects()
  const url = await objects.write(`${jobId}/doctor-${process.pid}`, Buffer.from('doctor'))
  try {
    const chunks: Uint8Array[] = []
    for await (const chunk of objects.read(url)) chunks.push(chunk)
    if (Buffer.concat(chunks).toString() !== 'doctor')
      throw new UserError(`${url} holds something else than was written.`)
  } finally {
    await objects.remove(url)
  }
  return 'written, read and deleted'
}

async function findDatabase({ config, jobId }: OpenJob): Promise<string> {
  const file = resolve(config.dbFile ?? `${jobId}.db`)
  accessSync(dirname(file), constants.W_OK)
  if (!existsSync(file)) return `${file} can be made`
  const db = openJobDb(file, { mode: 'readonly' })
  try {
    return `${file} is there, with ${db.unfinishedCount().toLocaleString('en-US')} unfinished tasks`
  } finally {
    db.close()
  }
}

const LEAST_FREE_GIB = 1 // a job of ten million tasks writes about 3 GB; a small one next to nothing

async function findDiskSpace({ config, jobId }: OpenJob): Promise<string> {
  const folder = dirname(resolve(config.dbFile ?? `${jobId}.db`))
  const { bavail, bsize } = await statfs(folder)
  const freeGib = (bavail * bsize) / 2 ** 30
  if (freeGib < LEAST_FREE_GIB) throw new UserError(`Only ${freeGib.toFixed(2)} GB are free in ${folder}.`)
  return `${freeGib.toFixed(1)} GB free for the database`
}

async function compareClocks({ provider, queues }: OpenJob): Promise<string> {
  if (provider.name === 'local') return 'manager and VMs share the clock of this computer'
  await queues.tasks.admin.depth() // any request that is signed
  return 'near enough: the cloud takes no signature of a clock that is minutes off, and it took ours'
}
