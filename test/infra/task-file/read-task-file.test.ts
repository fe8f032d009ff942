import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { UserError } from '../../../core/errors.ts'
import type { Task } from '../../../core/task.ts'
import type { Objects } from '../../../infra/provider.ts'
import { type ReadTaskFileOptions, readTaskFile } from '../../../infra/task-file/read-task-file.ts'

const folder = await mkdtemp(join(tmpdir(), 'task-file-'))
after(() => rm(folder, { recursive: true }))

async function read(location: string, options?: ReadTaskFileOptions): Promise<readonly Task[]> {
  const tasks: Task[] = []
  for await (const batch of readTaskFile(location, options)) tasks.push(...batch)
  return tasks
}

async function readText(name: string, content: string | Uint8Array, options?: ReadTaskFileOptions) {
  const path = join(folder, name)
  await writeFile(path, content)
  return read(path, options)
}

async function complaint(name: string, content: string | Uint8Array): Promise<string> {
  try {
    await readText(name, content)
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    return error.message.replaceAll(`${folder}/`, '')
  }
  return assert.fail(`no complaint about ${content}`)
}

function ids(tasks: readonly Task[]): string {
  return tasks.map(task => task.taskId).join(' ')
}

/** As the bytes of an object store, in chunks of `chunkBytes`. */
function inChunks(content: string, chunkBytes: number): Objects {
  const bytes = Buffer.from(content)
  return {
    async *read() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
    },
    write: () => assert.fail(),
    remove: () => assert.fail(),
  }
}

describe('a task file in JSON', () => {
  it('gives task_id and data, drops other keys, and ignores text after the closing bracket', async () => {
    const tasks = await readText(
      'a.json',
      '[{"task_id":"a","data":{"x":[1,{"y":null}]},"note":1},\n{"task_id":"b","data":{}}] end]',
    )
    assert.deepEqual(tasks, [
      { taskId: 'a', data: { x: [1, { y: null }] } },
      { taskId: 'b', data: {} },
    ])
  })

  it('gives priority, type and not_before, whose time without a zone is UTC', async () => {
    const [task] = await readText(
      'a.json',
      '[{"task_id":"a","data":{},"priority":"high","type":"big","not_before":"2030-01-31T12:00:00.5"}]',
    )
    assert.deepEqual(task, {
      taskId: 'a',
      data: {},
      priority: 'high',
      type: 'big',
      notBeforeAt: new Date('2030-01-31T12:00:00.500Z'),
    })
  })

  it('is the same tasks however the bytes are cut', async () => {
    const items = [
      { task_id: 'quote " and \\ back', data: { text: 'a]b}c,[{"\\"', deep: [[[{ a: [] }]]] } },
      { task_id: 'ü€😀', data: { '😀': '\u2028\n\t' } },
      { task_id: 'plain', data: { n: -1.5e-7, t: true, nothing: null } },
    ]
    const expected = items.map(item => ({ taskId: item.task_id, data: item.data }))
    for (const content of [JSON.stringify(items), `\uFEFF \n${JSON.stringify(items, null, 2)}\n`]) {
      for (let chunkBytes = 1; chunkBytes < 40; chunkBytes++) {
        assert.deepEqual(await read('s3://b/a.json', { objects: inChunks(content, chunkBytes) }), expected)
      }
    }
    const lines = items.map(item => JSON.stringify(item)).join('\r\n\r\n')
    for (let chunkBytes = 1; chunkBytes < 40; chunkBytes++) {
      assert.deepEqual(await read('s3://b/a.jsonl', { objects: inChunks(lines, chunkBytes) }), expected)
    }
  })

  it('keeps every digit of numbers that JavaScript cannot hold', async () => {
    const data =
      '{"big":12345678901234567890,"huge":1e400,"list":[-9007199254740993],"small":1,"text":"12345678901234567890"}'
    for (const name of ['a.json', 'a.jsonl']) {
      const item = `{"task_id":"a","data":${data}}`
      const [task] = await readText(name, name === 'a.json' ? `[ ${item} ]` : item)
      assert.equal(JSON.stringify(task?.data), data)
    }
  })

  it('skips and limits, and checks neither what is skipped nor what comes after', async () => {
    const content = '[1, {"task_id":"b","data":{}}, {"task_id":"c","data":{}}, {"task_id":"d","data":{}}, 2]'
    assert.equal(ids(await readText('a.json', content, { skip: 1, limit: 2 })), 'b c')
    assert.equal(ids(await readText('a.json', '[]', { skip: 5, limit: 0 })), '')
    assert.equal(ids(await readText('a.json', content, { skip: 9 })), '')
  })

  it('streams: the first tasks are there before the last byte is read', async () => {
    let chunkCount = 0
    const objects: Objects = {
      ...inChunks('', 1),
      async *read() {
        yield Buffer.from('[')
        for (; ; chunkCount++) yield Buffer.from('{"task_id":"x","data":{}},')
      },
    }
    assert.equal((await read('gs://b/endless.json', { objects, limit: 1000 })).length, 1000)
    assert.ok(chunkCount < 1010)
  })

  for (const [what, content, sentence] of [
    ['an empty file', '', 'Task file a.json is empty. It must hold a list of tasks.'],
    [
      'an object',
      '{"task_id":"a"}',
      'Task file a.json line 1: the file must hold a list of tasks: [ {"task_id": …, "data": {…}}, … ].',
    ],
    [
      'a truncated file',
      '[{"task_id":"a","data":{}},\n{"task',
      'Task file a.json line 2: the file is truncated: it ends before the closing bracket of the task list.',
    ],
    [
      'a missing comma',
      '[{"task_id":"a","data":{}},\n\n{"task_id":"b" "data":{}}]',
      /^Task file a\.json line 3: this task is not valid JSON \(Expected ',' or '}'/,
    ],
    [
      'a comma too many',
      '[{"task_id":"a","data":{}},\n]',
      'Task file a.json line 2: a task is missing between two commas.',
    ],
    [
      'an open text',
      '[{"task_id":"a","data":{}},\n{"task_id":"b,\n"data":{}}]',
      'Task file a.json line 2: a text is not closed by a quotation mark before the end of the line.',
    ],
    ['no id', '[{"data":{}}]', 'Task (a.json line 1): "task_id" is missing.'],
    [
      'id for task_id',
      '[\n{"id":"a","data":{}}]',
      'Task (a.json line 2): "task_id" is missing. Rename the key "id" to "task_id".',
    ],
    [
      'a number as id',
      '[{"task_id":7,"data":{}}]',
      'Task (a.json line 1): "task_id" must be a text, got 7. Put it in quotes.',
    ],
    [
      'an empty id',
      '[{"task_id":"","data":{}}]',
      'Task (a.json line 1): "task_id" is empty. Give each task a name of its own.',
    ],
    [
      'data that is no object',
      '[{"task_id":"a",\n"data":[1]}]',
      'Task "a" (a.json line 1): "data" must be an object, got [1].',
    ],
    ['no data', '[{"task_id":"a"}]', 'Task "a" (a.json line 1): "data" must be an object, but it is missing.'],
    [
      'an unknown priority',
      '[{"task_id":"a","data":{},"priority":"urgent"}]',
      'Task "a" (a.json line 1): "priority" must be high, normal, low, got "urgent".',
    ],
    [
      'no instant',
      '[{"task_id":"a","data":{},"not_before":"tomorrow"}]',
      'Task "a" (a.json line 1): "not_before" must be a time such as "2030-01-31T12:00:00Z", got "tomorrow".',
    ],
    [
      'a task that is no object',
      '[{"task_id":"a","data":{}},\n"b"]',
      'Task (a.json line 2): must be an object with "task_id" and "data", got "b".',
    ],
  ] as const) {
    it(`names file, line and task for ${what}`, async () => {
      const said = await complaint('a.json', content)
      if (typeof sentence === 'string') assert.equal(said, sentence)
      else assert.match(said, sentence)
    })
  }

  it('refuses what is nested deeper than can be followed, and bytes that are not UTF-8', async () => {
    const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
    assert.match(await complaint('a.json', `[{"task_id":"a","data":${deep}}]`), /nested too deeply/)
    assert.match(await complaint('a.json', Buffer.from('[{"task_id":"\xe4","data":{}}]', 'latin1')), /line 1: .*UTF-8/)
  })
})

describe('a task file in JSON Lines', () => {
  it('allows blank lines and needs no line break at the end', async () => {
    const content = '\n{"task_id":"a","data":{}}\n\n  \n{"task_id":"b","data":{}}'
    assert.equal(ids(await readText('a.jsonl', content)), 'a b')
    assert.equal(ids(await readText('a.ndjson', content)), 'a b')
    assert.equal(ids(await readText('a.jsonl', '')), '')
  })

  it('names the line of a task that is wrong', async () => {
    const content = '\n{"task_id":"a","data":{}}\n{"task_id":"b","data":1}\n'
    assert.equal(await complaint('a.jsonl', content), 'Task "b" (a.jsonl line 3): "data" must be an object, got 1.')
    assert.match(
      await complaint('a.jsonl', '{"task_id":"a","data":{}}\n{"task_id"'),
      /^Task file a\.jsonl line 2: not a JSON/,
    )
  })
})

describe('a task file in YAML', () => {
  it('may begin with ---, comments and blank lines, be indented, and be a list in brackets', async () => {
    const block =
      '---\n# tasks\n\n- task_id: a\n  data: {x: 1}\n# between\n\n-\n  task_id: b\n  data:\n    list:\n    - 1\n    - 2\n...\n'
    assert.deepEqual(await readText('a.yaml', block), [
      { taskId: 'a', data: { x: 1 } },
      { taskId: 'b', data: { list: [1, 2] } },
    ])
    assert.equal(ids(await readText('a.yml', '  - task_id: a\n    data: {}\n  - task_id: b\n    data: {}\n')), 'a b')
    assert.equal(ids(await readText('a.yml', '[{task_id: a, data: {}},\n{task_id: b, data: {}}]')), 'a b')
    assert.equal(ids(await readText('a.yml', '[]')), '')
  })

  it('means what it means to the Python system, except that times stay texts', async () => {
    const [task] = await readText(
      'a.yaml',
      '- task_id: y\n  data: {a: yes, b: off, c: n, d: 2024-01-31, e: 123456789012345678901}\n',
    )
    assert.equal(task?.taskId, 'y')
    assert.equal(JSON.stringify(task?.data), '{"a":true,"b":false,"c":"n","d":"2024-01-31","e":123456789012345678901}')
  })

  it('is the same tasks however the bytes are cut, block texts included', async () => {
    const content = Array.from(
      { length: 5 },
      (_, n) => `- task_id: t${n}\n  data:\n    text: |\n      - no task\n      ü${n}\n`,
    ).join('')
    const expected = Array.from({ length: 5 }, (_, n) => ({ taskId: `t${n}`, data: { text: `- no task\nü${n}\n` } }))
    for (let chunkBytes = 1; chunkBytes < 60; chunkBytes++) {
      assert.deepEqual(await read('s3://b/a.yaml', { objects: inChunks(content, chunkBytes) }), expected)
    }
  })

  for (const [what, content, sentence] of [
    ['an empty file', '# nothing\n', /is empty/],
    ['a mapping', 'task_id: a\n', /must hold a list of tasks/],
    [
      'a tag that would run code',
      '- task_id: a\n  data: !!python/object/apply:os.system ["true"]\n',
      /line 2: not valid YAML \(Unresolved tag/,
    ],
    ['a second document', '- task_id: a\n  data: {}\n---\n- task_id: b\n  data: {}\n', /line 3: .*second document/],
    ['infinity', '- task_id: a\n  data: {}\n- task_id: b\n  data: {x: .inf}\n', /line 3: infinity and NaN/],
    [
      'an id that is no text',
      '- task_id: a\n  data: {}\n- task_id: 007\n  data: {}\n',
      /^Task \(a\.yaml line 3\): "task_id" must be a text, got 7\. Put it in quotes\.$/,
    ],
  ] as const) {
    it(`names file and line for ${what}`, async () => assert.match(await complaint('a.yaml', content), sentence))
  }
})

describe('a task file anywhere', () => {
  it('may be compressed, and tells when its compressed data are cut', async () => {
    const packed = gzipSync('[{"task_id":"a","data":{}}]')
    assert.equal(ids(await readText('a.json.gz', packed)), 'a')
    assert.equal(ids(await readText('b.yaml.gz', gzipSync('- task_id: b\n  data: {}\n'))), 'b')
    assert.match(await complaint('a.json.gz', packed.subarray(0, -12)), /a\.json\.gz is truncated/)
    assert.match(await complaint('a.json.gz', 'plain'), /a\.json\.gz is not valid gzip/)
  })

  it('may be a file:// URL without any provider, and another URL only with one', async () => {
    await readText('a.json', '[{"task_id":"a","data":{}}]')
    assert.equal(ids(await read(pathToFileURL(join(folder, 'a.json')).href)), 'a')
    await assert.rejects(read('s3://bucket/a.json'), /a URL can be read only with a provider/)
    assert.equal(ids(await read('https://x/a.json?sig=b.yaml', { objects: inChunks('[]', 1) })), '')
  })

  it('names a file that is missing, is a folder, or has another suffix', async () => {
    await assert.rejects(read(join(folder, 'none.json')), /none\.json does not exist\.$/)
    await assert.rejects(read(join(folder, 'a.txt')), /must end in \.json, \.jsonl/)
    await assert.rejects(read('/tmp/.json/'), UserError)
  })
})
