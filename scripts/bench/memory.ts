// Peak memory of the published programs over a whole job, which must not grow with the number of tasks: the CLI loads, an
// agent works, the CLI collects.
import { join } from 'node:path'
import { startAgent } from './agent-process.ts'
import { compile } from './compiled.ts'
import type { Context } from './context.ts'
import { cloudFolder, JOB_ID } from './place.ts'
import { watchPeakMb } from './process-memory.ts'
import { startProgram } from './program.ts'
import type { Row } from './row.ts'
import { writeTaskFile } from './task-file.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const TARGET = { below: 150 }
const TIMEOUT_MS = 1_800_000

export async function measureMemory({ sizes, say }: Context): Promise<readonly Row[]> {
  await using compiled = await compile()
  const rows: Row[] = []
  for (const count of sizes.bigJobs) {
    say(`memory over ${count.toLocaleString('en-US')} tasks`)
    const peaks = await peaksOfJob(compiled.path, count)
    const size = count >= 1_000_000 ? `${count / 1_000_000} million tasks` : `${count / 1000},000 tasks`
    for (const [program, ours] of Object.entries(peaks)) {
      rows.push({ what: `peak RSS over ${size}: ${program}`, unit: 'MB', ours, target: TARGET })
    }
  }
  return rows
}

async function peaksOfJob(programs: string, count: number): Promise<Readonly<Record<string, number>>> {
  await using folder = await openTemporaryFolder()
  const taskFile = join(folder.path, 'tasks.json')
  await writeTaskFile(taskFile, count)
  const manager = (command: string, ...options: readonly string[]) => {
    const job = ['--provider', 'local', '--job-id', JOB_ID, ...options]
    return startProgram([process.execPath, join(programs, 'manager', 'main.js'), command, ...job], {
      timeoutMs: TIMEOUT_MS,
      cwd: folder.path,
      env: { RMS_CLOUD_TASKS_LOCAL_ROOT: cloudFolder(folder.path) },
    })
  }
  await using loader = manager('load_queue', '--task-file', taskFile)
  const loaderPeak = watchPeakMb(loader.pid)
  await loader.answer
  await using agent = startAgent({ folder: folder.path, task: 'trivial.mjs', main: join(programs, 'agent', 'main.js') })
  const agentPeak = watchPeakMb(agent.pid)
  await using collector = manager('monitor_event_queue')
  const collectorPeak = watchPeakMb(collector.pid)
  await collector.answer // exits 0 only when every task is completed
  return { loader: loaderPeak(), agent: agentPeak(), collector: collectorPeak() }
}
