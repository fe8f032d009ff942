// The table of the Python package's configuration, key by key: what it takes, what it refuses, and what it becomes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROVIDER_KEYS, RUN_KEYS } from '../../core/config-keys.ts'
import { layerConfig } from '../../core/config-layers.ts'
import { jobConfigOf } from '../../core/job-config.ts'
import { type JobFile, parseJobFile } from '../../core/job-file.ts'

/** `≥0`: 0 is taken. `>0`: it is not. The last word is the default, `-` for none. */
const PYTHON_RUN_KEYS = `
  min_instances int ≥0 0
  max_instances int >0 10
  min_total_cpus int ≥0 -
  max_total_cpus int >0 -
  cpus_per_task float >0 1
  min_tasks_per_instance int >0 -
  max_tasks_per_instance int >0 -
  min_simultaneous_tasks int >0 -
  max_simultaneous_tasks int >0 -
  min_total_price_per_hour float ≥0 -
  max_total_price_per_hour float >0 10
  architecture choice - -
  cpu_family text - -
  min_cpu_rank int ≥0 -
  max_cpu_rank int ≥0 -
  min_cpu int ≥0 -
  max_cpu int >0 -
  min_total_memory float ≥0 -
  max_total_memory float >0 -
  min_memory_per_cpu float ≥0 -
  max_memory_per_cpu float >0 -
  min_memory_per_task float ≥0 -
  max_memory_per_task float >0 -
  min_local_ssd float ≥0 -
  max_local_ssd float >0 -
  local_ssd_base_size float ≥0 0
  min_local_ssd_per_cpu float ≥0 -
  max_local_ssd_per_cpu float >0 -
  min_local_ssd_per_task float ≥0 -
  max_local_ssd_per_task float >0 -
  boot_disk_types list - -
  boot_disk_iops int >0 -
  boot_disk_throughput int >0 -
  total_boot_disk_size float >0 10
  boot_disk_base_size float ≥0 0
  boot_disk_per_cpu float ≥0 -
  boot_disk_per_task float ≥0 -
  instance_types list - -
  use_spot bool - -
  startup_script text - -
  startup_script_file text - -
  image text - -
  scaling_check_interval int >0 60
  instance_termination_delay int >0 60
  max_runtime int >0 3600
  retry_on_exit bool - -
  retry_on_exception bool - -
  retry_on_timeout bool - -
  max_memory_allowed_per_task float >0 -
  keepalive_interval int >0 -
  keepalive_startup_timeout int ≥0 600
  keepalive_timeout int ≥0 300
  db_file text - -`

const PYTHON_SECTION_KEYS = {
  aws: 'job_id queue_name region zone exactly_once_queue access_key secret_key',
  gcp: 'job_id queue_name region zone exactly_once_queue project_id credentials_file service_account',
  azure:
    'job_id queue_name region zone exactly_once_queue subscription_id tenant_id client_id client_secret namespace_name connection_string',
} as const

type Row = readonly [key: string, type: string, bound: string, fallback: string]

const rows = PYTHON_RUN_KEYS.trim()
  .split('\n')
  .map(line => line.trim().split(' ') as unknown as Row)

function taken(key: string, value: unknown): unknown {
  const result = parseJobFile({ run: { [key]: value } })
  assert.ok('file' in result, `${key}: ${JSON.stringify(value)} is refused: ${JSON.stringify(result)}`)
  return (result.file.run as Readonly<Record<string, unknown>>)[key]
}

function refused(key: string, value: unknown): void {
  assert.ok('problems' in parseJobFile({ run: { [key]: value } }), `${key}: ${JSON.stringify(value)} is taken`)
}

/** What is taken and becomes what; and what is refused. */
const TYPES: Readonly<
  Record<string, { readonly good: readonly (readonly [unknown, unknown])[]; readonly bad: readonly unknown[] }>
> = {
  int: {
    good: [
      [3, 3],
      ['3', 3],
      [3.0, 3],
      ['2.0', 2],
      [' 4 ', 4],
    ],
    bad: [2.5, '2.5', 'many', true, [3], Number.NaN],
  },
  float: {
    good: [
      [1.5, 1.5],
      ['1.5', 1.5],
      [2, 2],
      ['1e2', 100],
      ['inf', Number.MAX_VALUE],
    ],
    bad: ['much', false, Number.NaN],
  },
  bool: {
    good: [
      ...[true, 'true', 'True', 'yes', 'on', '1', 1, 'Y'].map(value => [value, true] as const),
      ...[false, 'false', 'no', 'off', '0', 0, 'N'].map(value => [value, false] as const),
    ],
    bad: [2, 'maybe', []],
  },
  text: { good: [['some', 'some']], bad: [7, '', true, ['a']] },
  list: {
    good: [
      ['one', 'one'],
      [
        ['one', 'two'],
        ['one', 'two'],
      ],
    ],
    bad: [7, [], [7], ''],
  },
  choice: {
    good: [
      ['x86_64', 'x86_64'],
      ['ARM64', 'ARM64'],
    ],
    bad: ['x86', 'Arm64'],
  },
}

describe('keys of run', () => {
  it('are all of the Python package’s', () => {
    assert.equal(rows.length, 53)
    for (const [key] of rows) assert.ok(key in RUN_KEYS, key)
  })

  for (const [key, type, bound, fallback] of rows) {
    it(`${key} is a ${type} ${bound}, by default ${fallback}`, () => {
      const { good, bad } = TYPES[type] ?? assert.fail(type)
      for (const [value, result] of good) assert.deepEqual(taken(key, value), result)
      for (const value of bad) refused(key, value)
      if (bound === '≥0') assert.equal(taken(key, 0), 0)
      if (bound === '>0') refused(key, 0)
      if (bound !== '-') refused(key, -1)
      const { values } = layerConfig({ file: { provider: 'gcp' }, commandLine: {}, provider: undefined })
      const effective = (values as Readonly<Record<string, unknown>>)[key]
      assert.equal(effective, fallback === '-' ? undefined : Number(fallback))
    })
  }

  it('may all stand in a provider section too, where they win', () => {
    for (const section of ['local', 'aws', 'gcp', 'azure'] as const) {
      for (const [key, type] of rows) {
        const [value] = TYPES[type]?.good[0] ?? assert.fail()
        const parsed = parseJobFile({ provider: section, [section]: { [key]: value } })
        assert.ok('file' in parsed, `${section}.${key}`)
        if (key === 'startup_script_file') continue
        const { sources } = layerConfig({ file: parsed.file, commandLine: {}, provider: undefined })
        assert.equal(sources[key], section, key)
      }
    }
  })
})

describe('keys of provider sections', () => {
  for (const [section, keys] of Object.entries(PYTHON_SECTION_KEYS)) {
    it(`are all of the Python package’s for ${section}`, () => {
      for (const key of keys.split(' ')) {
        assert.ok(key in PROVIDER_KEYS[section as keyof typeof PYTHON_SECTION_KEYS], key)
        const parsed = parseJobFile({ [section]: { [key]: key === 'exactly_once_queue' ? 'yes' : 'a-name' } })
        assert.ok('file' in parsed, key)
      }
    })
  }
})

describe('pairs of a minimum and a maximum', () => {
  const pairs = rows
    .map(([key]) => key)
    .filter(key => key.startsWith('min_') && rows.some(([other]) => other === key.replace('min_', 'max_')))

  for (const min of pairs) {
    const max = min.replace('min_', 'max_')
    const layer = (file: JobFile, commandLine = {}) =>
      layerConfig({ file: { provider: 'gcp', ...file }, commandLine, provider: undefined })

    it(`${min} may equal ${max} and not exceed it, whichever source they come from`, () => {
      layer({ run: { [min]: 7, [max]: 7 } })
      layer({ run: { [min]: 1, [max]: 3 } }, { [min]: 20, [max]: 30 })
      layer({ run: { [min]: 1, [max]: 3 }, gcp: { [min]: 20, [max]: 30 } })
      layer({ run: { [min]: 20 }, gcp: { [max]: 30 } })
      assert.throws(() => layer({ run: { [min]: 8, [max]: 7 } }), { message: new RegExp(`^${min} is 8 .*${max} is 7`) })
      assert.throws(() => layer({ run: { [min]: 5 }, gcp: { [max]: 3 } }), /from run:.*from gcp:/)
      assert.throws(() => layer({ run: { [max]: 5 } }, { [min]: 6 }), /command line.*from run:/)
    })
  }
})

describe('what the Python package makes of values', () => {
  const config = (file: JobFile, commandLine = {}) => {
    const { provider, values } = layerConfig({ file, commandLine, provider: undefined })
    return jobConfigOf({ provider, values, startupScript: undefined, folder: '/' })
  }

  it('is the same here: case, lists, names', () => {
    const made = config({
      provider: 'GCP',
      run: { architecture: 'arm64', boot_disk_types: ['PD-SSD'], instance_types: ['n2-'] },
      gcp: { job_id: 'my-job' },
    })
    assert.equal(made.provider, 'gcp')
    assert.equal(made.machine.architecture, 'ARM64')
    assert.deepEqual(made.bootDisk.types, ['pd-ssd'])
    assert.deepEqual([made.queueName, made.dbFile], ['my-job', 'my-job.db'])
    assert.equal(config({ provider: 'gcp' }).machine.architecture, 'X86_64')
  })

  it('is mended where it lost something: one text is one expression, use_spot in the file holds', () => {
    const parsed = parseJobFile({ provider: 'gcp', run: { instance_types: 'n2-standard', use_spot: true } })
    const made = config('file' in parsed ? parsed.file : assert.fail())
    assert.deepEqual(made.machine.instanceTypes, ['n2-standard'])
    assert.equal(made.pool.spot, true)
    assert.equal(config({ provider: 'gcp', run: { use_spot: true } }, { use_spot: false }).pool.spot, false)
  })

  it('refuses a provider in mixed case', () => {
    for (const provider of ['aws', 'AWS', 'gcp', 'GCP', 'azure', 'AZURE'])
      assert.ok('file' in parseJobFile({ provider }))
    for (const provider of ['Aws', 'ibm', 7]) assert.ok('problems' in parseJobFile({ provider }))
  })
})
