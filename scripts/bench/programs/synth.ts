// Makes the template of a job on AWS, programs of its VMs packed, and answers with its size.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { layerConfig } from '../../../core/config-layers.ts'
import { jobConfigOf } from '../../../core/job-config.ts'
import { packForVms } from '../../../infra/aws/programs.ts'
import { loadStackProgram } from '../../../infra/aws/stack-program.ts'

const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-bench-'))
try {
  const file = { provider: 'aws', run: { task: './task.ts' }, aws: { job_id: 'bench' } } as const
  const layered = layerConfig({ file, commandLine: {}, provider: undefined })
  const config = jobConfigOf({ ...layered, startupScript: undefined, folder })
  const { agent } = await packForVms(config, folder)
  const stored = (sha512: string) => ({ bucket: 'bench', key: 'agent.tar.gz', sha512 })
  const { synthesise } = await loadStackProgram()
  const template = synthesise({
    jobId: 'bench',
    stackName: 'cloud-tasks-bench',
    region: 'us-east-1',
    config,
    manager: 'serverless',
    programs: { manager: stored(''), ...(agent && { agent: stored(agent.sha512) }) },
  })
  console.log(JSON.stringify({ templateBytes: Buffer.byteLength(template) }))
} finally {
  await rm(folder, { recursive: true, force: true })
}
