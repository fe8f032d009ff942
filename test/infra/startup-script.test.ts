import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { UserError } from '../../core/errors.ts'
import { renderStartupScript, type VmEnvironment } from '../../infra/startup-script.ts'

const environment: VmEnvironment = {
  provider: 'gcp',
  projectId: 'my-project',
  jobId: 'my-job',
  queueName: 'my-queue',
  vm: {
    kind: 'known',
    instanceType: 'n2-standard-4',
    vcpuCount: 4,
    memoryGib: 16,
    localSsdGib: 0,
    bootDiskGib: 10,
    spot: true,
    priceUsdPerHour: 0.0542,
    tasksPerInstance: 4,
  },
  maxRuntimeSeconds: 3600,
  retryOnExit: true,
  retryOnException: undefined,
  retryOnTimeout: false,
  keepaliveIntervalSeconds: 30,
  maxMemoryPerTaskGib: 2,
  exactlyOnceQueue: false,
  leaseSeconds: 60,
  maxAttempts: 10,
  maxPreemptions: 5,
  idleShutdownSeconds: 120,
  maxInstanceLifetimeSeconds: 86_400,
  region: 'us-central1',
  extra: { MY_ROOT: '/data' },
}

const EXPECTED = `#!/bin/bash
export RMS_CLOUD_TASKS_PROVIDER=GCP
export RMS_CLOUD_TASKS_PROJECT_ID=my-project

export RMS_CLOUD_TASKS_JOB_ID=my-job
export RMS_CLOUD_TASKS_QUEUE_NAME=my-queue
export RMS_CLOUD_TASKS_EVENT_LOG_TO_QUEUE=1
export RMS_CLOUD_TASKS_INSTANCE_TYPE=n2-standard-4
export RMS_CLOUD_TASKS_INSTANCE_NUM_VCPUS=4
export RMS_CLOUD_TASKS_INSTANCE_MEM_GB=16.0
export RMS_CLOUD_TASKS_INSTANCE_SSD_GB=0
export RMS_CLOUD_TASKS_INSTANCE_BOOT_DISK_GB=10
export RMS_CLOUD_TASKS_INSTANCE_IS_SPOT=True
export RMS_CLOUD_TASKS_INSTANCE_PRICE=0.0542
export RMS_CLOUD_TASKS_NUM_TASKS_PER_INSTANCE=4
export RMS_CLOUD_TASKS_MAX_RUNTIME=3600
export RMS_CLOUD_TASKS_RETRY_ON_EXIT=True
export RMS_CLOUD_TASKS_RETRY_ON_EXCEPTION=None
export RMS_CLOUD_TASKS_KEEPALIVE_INTERVAL=30
export RMS_CLOUD_TASKS_MAX_MEMORY_ALLOWED_PER_TASK=2.0
export RMS_CLOUD_TASKS_RETRY_ON_TIMEOUT=False
export RMS_CLOUD_TASKS_EXACTLY_ONCE_QUEUE=False
export RMS_CLOUD_TASKS_VISIBILITY_TIMEOUT_SECONDS=60
export RMS_CLOUD_TASKS_MAX_ATTEMPTS=10
export RMS_CLOUD_TASKS_MAX_PREEMPTIONS=5
export RMS_CLOUD_TASKS_IDLE_SHUTDOWN=120
export RMS_CLOUD_TASKS_MAX_INSTANCE_LIFETIME=86400
export RMS_CLOUD_TASKS_REGION=us-central1
export MY_ROOT=/data
echo hello
`

describe('startup script', () => {
  it('has the exports of the Python system in its order, then ours, then the script', () => {
    assert.equal(renderStartupScript({ environment, userScript: '\n  #!/bin/bash\r\necho hello\r\n\n' }), EXPECTED)
  })

  it('gets a shebang if it has none', () => {
    assert.equal(renderStartupScript({ environment, userScript: 'echo hello' }), EXPECTED)
  })

  it('names no project outside of GCP, and leaves out what is not set', () => {
    const { keepaliveIntervalSeconds: _1, maxPreemptions: _2, region: _3, ...rest } = environment
    const script = renderStartupScript({ environment: { ...rest, provider: 'aws' }, userScript: 'true' })
    assert.match(script, /^#!\/bin\/bash\nexport RMS_CLOUD_TASKS_PROVIDER=AWS\n\nexport RMS_CLOUD_TASKS_JOB_ID=/)
    assert.doesNotMatch(script, /PROJECT_ID|KEEPALIVE|MAX_PREEMPTIONS|REGION/)
  })

  for (const shebang of ['#!/bin/bash', '#!/usr/bin/env bash', '#! /usr/bin/bash -eu', '#!/usr/bin/env -S bash -e']) {
    it(`keeps ${shebang} as the first line`, () => {
      const script = renderStartupScript({ environment, userScript: `${shebang}\necho hello` })
      assert.ok(script.startsWith(`${shebang}\nexport RMS_CLOUD_TASKS_PROVIDER=`))
    })
  }

  for (const shebang of ['#!/bin/sh', '#!/usr/bin/python3', '#!/bin/notbash', '#!/usr/bin/env python3 bash']) {
    it(`refuses ${shebang} in one sentence`, () => {
      const render = () => renderStartupScript({ environment, userScript: `${shebang}\nx` })
      assert.throws(render, (error: unknown) => error instanceof UserError && error.message.includes(shebang))
    })
  }

  it('cannot be made to run a value, whatever is in it', () => {
    const evil = [
      '$(echo run)',
      '`echo run`',
      '; echo run',
      "'; echo run; '",
      '"; echo run; "',
      'a\necho run\n',
      '\\',
      '!!',
      '~',
      '*',
      ' ',
      '',
      '#',
      '$HOME',
      "\\'",
      'ü\t日本',
    ]
    for (const value of evil) {
      const extra = { EVIL: value }
      const userScript = 'printf "%s|%s" "$EVIL" "$RMS_CLOUD_TASKS_QUEUE_NAME"'
      const script = renderStartupScript({ environment: { ...environment, queueName: value, extra }, userScript })
      const { stdout, stderr, status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
      assert.deepEqual({ stdout, stderr, status }, { stdout: `${value}|${value}`, stderr: '', status: 0 })
    }
  })

  it('refuses names that are no names, and values that no shell can hold', () => {
    for (const extra of [{ 'A=1; echo run #': 'x' }, { '': 'x' }, { A: 'nul\0' }]) {
      assert.throws(
        () => renderStartupScript({ environment: { ...environment, extra }, userScript: 'true' }),
        UserError,
      )
    }
  })
})
