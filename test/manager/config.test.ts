import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { JobFolder } from '../support/job-folder.ts'

describe('check_config', () => {
  let folder: JobFolder
  before(() => {
    folder = new JobFolder({ jobId: 'checked', run: ['min_instances: 1', 'retry_on_exit: yes'] })
  })
  after(() => folder.remove())

  it('prints the effective configuration and where each value came from', async () => {
    const { exitCode, stdout } = await folder.run(
      'check_config',
      '--config',
      'job.yml',
      '--max-instances',
      '30',
      '--min-instances',
      '20',
    )
    assert.equal(exitCode, 0)
    const shown = JSON.parse(stdout)
    assert.equal(shown.provider, 'LOCAL')
    assert.deepEqual([shown.run.min_instances, shown.run.max_instances, shown.run.retry_on_exit], [20, 30, true])
    assert.deepEqual(
      [shown.local.job_id, shown.local.queue_name, shown.run.db_file],
      ['checked', 'checked', 'checked.db'],
    )
    assert.deepEqual(
      [shown.sources.min_instances, shown.sources.retry_on_exit, shown.sources.job_id, shown.sources.max_attempts],
      ['command line', 'run', 'local', 'default'],
    )
  })

  it('prints what is itself a job file of the same meaning', async () => {
    const first = await folder.run('check_config', '--config', 'job.yml')
    const { sources: _, ...file } = JSON.parse(first.stdout)
    folder.write('effective.yml', JSON.stringify(file))
    const second = await folder.run('check_config', '--config', 'effective.yml')
    const { sources: __, ...again } = JSON.parse(second.stdout)
    assert.deepEqual(again, file)
  })

  it('reads a startup script beside the job file, and hides secrets', async () => {
    folder.write('boot.sh', '#!/bin/bash\necho hello\n')
    folder.write('aws.yml', 'provider: aws\nrun:\n  startup_script_file: boot.sh\naws:\n  secret_key: abc\n')
    const { stdout } = await folder.run('check_config', '--config', 'aws.yml')
    const shown = JSON.parse(stdout)
    assert.equal(shown.run.startup_script, '#!/bin/bash\necho hello\n')
    assert.equal(shown.aws.secret_key, '***')
    assert.equal(shown.run.architecture, 'X86_64')
    folder.write('aws.yml', 'provider: aws\nrun:\n  startup_script_file: gone.sh\n')
    assert.match(
      (await folder.run('check_config', '--config', 'aws.yml')).stdout,
      /^Invalid configuration: startup_script_file .*gone\.sh does not exist\n$/,
    )
  })

  it('refuses a minimum above the maximum, and takes both from anywhere', async () => {
    const refused = await folder.run('check_config', '--config', 'job.yml', '--min-instances', '20')
    assert.equal(refused.exitCode, 1)
    assert.match(refused.stdout, /^Invalid configuration: min_instances is 20 \(command line\) but max_instances is 2/)
  })

  it('takes a stand-in for spot on the command line', async () => {
    const { stdout } = await folder.run('check_config', '--config', 'job.yml', '--on-demand-fallback', 'after_wait=600')
    assert.deepEqual(JSON.parse(stdout).run.on_demand_fallback, { after_wait: 600 })
  })
})
