// A program: packs what the VMs of the job on stdin are brought into the given folder, and says where, as JSON.
import { text } from 'node:stream/consumers'
import { messageOf } from '../../../core/errors.ts'
import type { JobConfig } from '../../../core/job-config.ts'
import { packForVms } from '../programs.ts'

try {
  const config: JobConfig = JSON.parse(await text(process.stdin))
  process.stdout.write(JSON.stringify(await packForVms(config, process.argv[2] ?? '.')))
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 1
}
