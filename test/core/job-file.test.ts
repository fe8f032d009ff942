import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { jobFileJsonSchema, parseJobFile } from '../../core/job-file.ts'

function parsed(content: unknown) {
  const result = parseJobFile(content)
  assert.ok('file' in result, JSON.stringify(result))
  return result.file
}

function problems(content: unknown): string[] {
  const result = parseJobFile(content)
  assert.ok('problems' in result, 'accepted')
  return result.problems.map(({ path, message }) => `${path.join('.')} ${message}`)
}

describe('a job file', () => {
  it('may be written loosely: numbers and booleans as text, whole floats for integers', () => {
    const file = parsed({
      provider: 'GCP',
      run: {
        min_instances: '20',
        max_runtime: 2.0,
        use_spot: 'yes',
        cpus_per_task: '0.5',
        retry_on_exit: 0,
        max_total_memory: 'inf',
      },
    })
    assert.equal(file.run?.min_instances, 20)
    assert.equal(file.run?.max_runtime, 2)
    assert.equal(file.run?.use_spot, true)
    assert.equal(file.run?.cpus_per_task, 0.5)
    assert.equal(file.run?.retry_on_exit, false)
    assert.equal(file.run?.max_total_memory, Number.MAX_VALUE)
  })

  for (const [key, value, complaint] of [
    ['min_instances', 2.5, 'must be a whole number ≥ 0'],
    ['max_instances', 0, 'must be a whole number > 0'],
    ['max_instances', -1, 'must be a whole number > 0'],
    ['use_spot', 2, 'must be true or false'],
    ['use_spot', 'maybe', 'must be true or false'],
    ['cpus_per_task', 0, 'must be a number > 0'],
    ['min_total_price_per_hour', Number.NaN, 'must be a number ≥ 0'],
    ['image', 7, 'must be text (put it in quotes)'],
    ['image', '', 'must not be empty'],
    ['boot_disk_types', [], 'must be text or a list of texts'],
    ['architecture', 'x86', 'must be one of x86_64, arm64, X86_64, ARM64'],
    ['on_demand_fallback', 'sometimes', 'must be never, after_preemptions: <count>, or after_wait: <seconds>'],
  ] as const) {
    it(`refuses ${key}: ${JSON.stringify(value)}`, () => {
      assert.deepEqual(problems({ run: { [key]: value } }), [`run.${key} ${complaint}`])
    })
  }

  it('refuses unknown keys at every level and names the nearest known one', () => {
    assert.deepEqual(problems({ proivder: 'local' }), ['proivder is not a known key; did you mean provider?'])
    assert.deepEqual(problems({ run: { 'max-instances': 3 } }), [
      'run.max-instances is not a known key; did you mean max_instances?',
    ])
    assert.deepEqual(problems({ local: { sede: 3 } }), ['local.sede is not a known key; did you mean seed?'])
    assert.deepEqual(problems({ run: { xyzzy: 3 } }), ['run.xyzzy is not a known key'])
  })

  it('says where a key belongs that stands in the wrong section', () => {
    assert.deepEqual(problems({ run: { job_id: 'a' } }), ['run.job_id does not belong here; put it under local:'])
    assert.deepEqual(problems({ task: './a.ts' }), ['task does not belong here; put it under run:'])
  })

  it('takes a section or key with nothing behind it as not given', () => {
    assert.deepEqual(parsed({ provider: 'local', run: null, local: { job_id: null } }), {
      provider: 'local',
      local: {},
    })
  })

  it('refuses what is no mapping', () => {
    assert.equal(problems(['a']).length, 1)
    assert.equal(problems({ run: 3 })[0], 'run must be a mapping of keys to values')
  })

  it('allows only names that every cloud allows for a job', () => {
    for (const good of ['a', 'a-', 'job-2', 'a'.repeat(24)]) parsed({ local: { job_id: good } })
    for (const bad of ['A', '2a', 'a_b', 'a'.repeat(25), 'ä'])
      assert.equal(problems({ local: { job_id: bad } }).length, 1)
    assert.equal(problems({ local: { job_id: 12 } }).length, 1)
  })

  it('has its JSON Schema for editors in job-file.schema.json', () => {
    const stored: unknown = JSON.parse(readFileSync(new URL('../../job-file.schema.json', import.meta.url), 'utf8'))
    assert.deepEqual(stored, jobFileJsonSchema(), 'run: node scripts/write-job-file-schema.ts')
  })
})
