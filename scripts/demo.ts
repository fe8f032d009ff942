// `npm run demo`: a whole job on spot VMs of this machine, one of them preempted, checked at the end with plain SQL.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { styleText } from 'node:util'
import { additionTask } from '../examples/parallel-addition/addition-task.ts'
import { checkDemo, countCompleted } from './demo-check.ts'
import { preemptOne } from './demo-preemption.ts'

const TASK_COUNT = 10_000
const PREEMPT_AFTER = 3000 // completed tasks: all VMs are up by then, and most of the work is still ahead

const root = join(import.meta.dirname, '..')
const folder = join(root, '.cloud-tasks/demo')
const dbFile = join(folder, 'demo.db')
const vmRoot = join(folder, 'local')
const cli = join(root, 'manager/main.ts')

const JOB = `provider: local
local:
  job_id: demo
  root: local
  vcpus_per_vm: 2
  boot_seconds: 1
  notice_seconds: 2
run:
  task: ../../scripts/demo-task.ts
  max_instances: 3
  lease_seconds: 10
  scaling_check_interval: 1
  retry_on_exception: true
`

await clearFolder()
writeFileSync(join(folder, 'job.yml'), JOB)
writeFileSync(join(folder, 'tasks.json'), JSON.stringify(makeTasks()))
console.log(
  `${TASK_COUNT.toLocaleString('en')} additions, each a few milliseconds long, on 3 spot VMs of this machine.`,
)
console.log('One VM will be taken away in the middle, and ten tasks fail at their first attempt.\n')

const finished = new AbortController()
const preemption = preemptOne({
  vmRoot,
  jobId: 'demo',
  completedCount: () => countCompleted(dbFile),
  afterCompleted: PREEMPT_AFTER,
  signal: finished.signal,
})
const exitCode = await runJob()
finished.abort()
await preemption

const { sentence, wrong } = checkDemo(dbFile, TASK_COUNT)
const good = exitCode === 0 && wrong.length === 0
console.log(`\nPlain SQL ${wrong.length === 0 ? 'agrees' : 'disagrees'}: ${sentence}`)
for (const problem of wrong) console.log(styleText('red', `  ${problem}`))
console.log(`Look yourself: ${relative(root, dbFile)}`)
console.log(good ? styleText('green', 'The demo passed.') : styleText('red', 'The demo failed.'))
process.exitCode = good ? 0 : 1

/** VMs of an earlier demo that was killed may still run: they end before their folder goes. */
async function clearFolder(): Promise<void> {
  if (existsSync(join(folder, 'job.yml'))) {
    const stop = spawn(process.execPath, [cli, 'stop', '--config', 'job.yml'], { cwd: folder, stdio: 'ignore' })
    await once(stop, 'close')
  }
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}

function makeTasks() {
  return Array.from({ length: TASK_COUNT }, (_, index) => additionTask(index + 1))
}

async function runJob(): Promise<number | null> {
  const args = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force']
  // Its progress is for the terminal of whoever runs the demo, so it gets the demo's own.
  const child = spawn(process.execPath, [cli, ...args], { cwd: folder, stdio: 'inherit' })
  const [exitCode] = await once(child, 'close')
  return exitCode
}
