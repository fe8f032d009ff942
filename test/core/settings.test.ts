import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SETTING_ENTRIES } from '../../core/settings.ts'

describe('agent settings', () => {
  it('have one flag and one variable each, and no two share one', () => {
    const flags = SETTING_ENTRIES.flatMap(([, { flag, aliases = [] }]) => [flag, ...aliases])
    const variables = SETTING_ENTRIES.map(([, { env }]) => env)
    assert.equal(new Set(flags).size, flags.length)
    assert.equal(new Set(variables).size, variables.length)
  })

  it('keep the names that the Python system and the startup script use', () => {
    const variables = new Set<string>(SETTING_ENTRIES.map(([, { env }]) => env))
    const known =
      'PROVIDER PROJECT_ID TASK_FILE JOB_ID QUEUE_NAME EXACTLY_ONCE_QUEUE EVENT_LOG_FILE EVENT_LOG_TO_FILE EVENT_LOG_TO_QUEUE ' +
      'KEEPALIVE_INTERVAL INSTANCE_TYPE INSTANCE_NUM_VCPUS INSTANCE_MEM_GB INSTANCE_SSD_GB INSTANCE_BOOT_DISK_GB ' +
      'INSTANCE_IS_SPOT INSTANCE_PRICE NUM_TASKS_PER_INSTANCE MAX_RUNTIME MAX_MEMORY_ALLOWED_PER_TASK SHUTDOWN_GRACE_PERIOD ' +
      'TO_SKIP MAX_NUM_TASKS RETRY_ON_EXIT RETRY_ON_EXCEPTION RETRY_ON_TIMEOUT SIMULATE_SPOT_TERMINATION_AFTER ' +
      'SIMULATE_SPOT_TERMINATION_DELAY VISIBILITY_TIMEOUT_SECONDS MAX_ATTEMPTS MAX_PREEMPTIONS IDLE_SHUTDOWN ' +
      'MAX_INSTANCE_LIFETIME REGION LOCAL_ROOT'
    for (const name of known.split(' ')) assert.ok(variables.has(`RMS_CLOUD_TASKS_${name}`), name)
    assert.ok(variables.has('RMS_CLOUD_WORKER_USE_NEW_PROCESS'))
  })
})
