import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { layerConfig } from '../../core/config-layers.ts'
import { UserError } from '../../core/errors.ts'
import { jobConfigOf } from '../../core/job-config.ts'
import type { JobFile } from '../../core/job-file.ts'

function layered(file: JobFile, commandLine = {}) {
  return layerConfig({ file: { provider: 'local', ...file }, commandLine, provider: undefined })
}

function config(file: JobFile, commandLine = {}) {
  const { provider, values } = layered(file, commandLine)
  return jobConfigOf({ provider, values, startupScript: undefined, folder: '/' })
}

describe('layers of the configuration', () => {
  it('let the command line beat the provider section, that beat run, and that beat the default', () => {
    const file: JobFile = {
      run: { max_instances: 2, min_cpu: 2, max_runtime: 5 },
      local: { max_instances: 3, min_cpu: 3 },
    }
    const { values, sources } = layered(file, { min_cpu: 4 })
    assert.deepEqual([values.max_runtime, sources.max_runtime], [5, 'run'])
    assert.deepEqual([values.max_instances, sources.max_instances], [3, 'local'])
    assert.deepEqual([values.min_cpu, sources.min_cpu], [4, 'command line'])
    assert.deepEqual([values.max_attempts, sources.max_attempts], [10, 'default'])
  })

  it('warn where one value hides a different one', () => {
    const { warnings } = layered({ run: { min_cpu: 2, max_cpu: 99 }, local: { max_cpu: 99 } }, { min_cpu: 16 })
    assert.deepEqual(warnings, ['Overriding run.min_cpu=2 with command line min_cpu=16'])
  })

  it('never show a secret in a warning', () => {
    const { warnings } = layered({ provider: 'aws', aws: { secret_key: 'one' } }, { secret_key: 'two' })
    assert.deepEqual(warnings, ['Overriding aws.secret_key=*** with command line secret_key=***'])
  })

  it('ignore the sections of other clouds', () => {
    assert.equal(config({ aws: { max_instances: 99 } }).pool.maxInstances, 10)
  })

  it('compare minima with maxima only at the end, so that any source may move both', () => {
    assert.equal(config({ run: { min_instances: 20, max_instances: 30 } }).pool.minInstances, 20)
    assert.equal(config({ run: { min_instances: 20 } }, { max_instances: 30 }).pool.maxInstances, 30)
    assert.equal(
      config({ run: { min_instances: 1, max_instances: 10 }, local: { min_instances: 20, max_instances: 30 } }).pool
        .minInstances,
      20,
    )
  })

  it('raise the default of max_instances to a min_instances that is given alone', () => {
    const { values, sources } = layered({ run: { min_instances: 20 } })
    assert.deepEqual([values.max_instances, sources.max_instances], [20, 'default'])
  })

  it('refuse a minimum above its maximum, saying where both came from', () => {
    assert.throws(
      () => layered({ run: { min_total_price_per_hour: 20 } }), // money is never raised unasked
      new UserError(
        'min_total_price_per_hour is 20 (from run:) but max_total_price_per_hour is 10 (the default); ' +
          'set min_total_price_per_hour ≤ max_total_price_per_hour',
      ),
    )
    assert.throws(() => layered({ run: { min_instances: 20 }, local: { max_instances: 3 } }), /from local:/)
    assert.throws(() => layered({ run: { min_memory_per_task: 4 } }, { max_memory_per_task: 3 }), UserError)
    assert.equal(config({ run: { min_cpu: 4, max_cpu: 4 } }).machine.vcpuCount.min, 4)
  })

  it('refuse two startup scripts, and a pattern that is none', () => {
    assert.throws(() => layered({ run: { startup_script: 'a' } }, { startup_script_file: 'b' }), /exclude each other/)
    assert.throws(() => layered({ run: { instance_types: ['n2-('] } }), /"n2-\(" is not a regular expression/)
  })

  it('need a provider', () => {
    assert.throws(() => layerConfig({ file: {}, commandLine: {}, provider: undefined }), /Provider must be specified/)
  })

  it('name queue and database after the job', () => {
    const { queueName, dbFile } = config({ local: { job_id: 'my-job' } })
    assert.deepEqual([queueName, dbFile], ['my-job', 'my-job.db'])
  })

  it('take spot VMs on this machine and on-demand VMs elsewhere, unless told', () => {
    assert.equal(config({}).pool.spot, true)
    assert.equal(config({ provider: 'AWS' }).pool.spot, false)
    assert.equal(config({ provider: 'aws', aws: { use_spot: true } }).pool.spot, true)
    assert.equal(config({ run: { use_spot: false } }).pool.spot, false)
  })
})
