import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { JobFolder } from '../support/job-folder.ts'

const OFFERS = [
  {
    instance_type: 'n2-4',
    vcpus: 4,
    memory_gb: 16,
    price_per_hour: 0.08,
    zone: 'z-b',
    cpu_rank: 12,
    cpu_family: 'Cascade Lake',
  },
  {
    instance_type: 'n2-2',
    vcpus: 2,
    memory_gb: 8,
    price_per_hour: 0.05,
    zone: 'z-b',
    cpu_rank: 12,
    cpu_family: 'Cascade Lake',
  },
  {
    instance_type: 'n2-2',
    vcpus: 2,
    memory_gb: 8,
    price_per_hour: 0.04,
    zone: 'z-a',
    cpu_rank: 12,
    cpu_family: 'Cascade Lake',
  },
  {
    instance_type: 't2a-1',
    vcpus: 1,
    memory_gb: 4,
    price_per_hour: 0.02,
    zone: 'z-a',
    architecture: 'ARM64',
    cpu_rank: 15,
    cpu_family: 'Ampere Altra',
    local_ssd_gb: 375,
    supports_spot: false,
    price_parts: { cpu: 0.01, memory: 0.004 },
    description: '1 vCPU, Arm',
  },
]

describe('list_instance_types', () => {
  let folder: JobFolder
  before(() => {
    folder = new JobFolder({ jobId: 'listed' })
    folder.write('offers.json', JSON.stringify(OFFERS))
  })
  after(() => folder.remove())

  async function list(...args: string[]): Promise<string[]> {
    const options = ['--provider', 'gcp', '--catalog', 'offers.json', '--json']
    const { exitCode, stdout, stderr } = await folder.run('list_instance_types', ...options, ...args)
    assert.equal(exitCode, 0, stderr)
    return JSON.parse(stdout).map((row: { instance_type: string; zone: string }) => `${row.instance_type} ${row.zone}`)
  }

  it('shows all there is, of any architecture, by vCPU, memory, name and zone', async () => {
    assert.deepEqual(await list(), ['t2a-1 z-a', 'n2-2 z-a', 'n2-2 z-b', 'n2-4 z-b'])
  })

  for (const [what, args, expected] of [
    ['by price, dearest first', ['--sort-by', '-cost'], ['n2-4 z-b', 'n2-2 z-b', 'n2-2 z-a', 't2a-1 z-a']],
    ['by several columns', ['--sort-by', 'z,-m'], ['n2-2 z-a', 't2a-1 z-a', 'n2-4 z-b', 'n2-2 z-b']],
    ['by a price part', ['--sort-by', '-vcpu_price', '--limit', '1'], ['t2a-1 z-a']],
    ['with text in any field', ['--filter', 'cascade'], ['n2-2 z-a', 'n2-2 z-b', 'n2-4 z-b']],
    ['limited after sorting', ['--sort-by', 'tp', '--limit', '2'], ['t2a-1 z-a', 'n2-2 z-a']],
    ['of one architecture', ['--architecture', 'arm64'], ['t2a-1 z-a']],
    ['of some names', ['--instance-types', 'n2-4', '2'], ['n2-4 z-b']],
    ['as spot', ['--use-spot', '--max-cpu', '2'], ['n2-2 z-a', 'n2-2 z-b']],
    ['in one zone', ['--zone', 'z-b'], ['n2-2 z-b', 'n2-4 z-b']],
    ['of one processor family', ['--cpu-family', 'cascade lake', '--min-cpu', '4'], ['n2-4 z-b']],
    ['with local SSD', ['--min-local-ssd', '100'], ['t2a-1 z-a']],
  ] as const) {
    it(`lists ${what}`, async () => {
      assert.deepEqual(await list(...args), expected)
    })
  }

  it('has a table that shows columns only where there is something in them', async () => {
    const options = ['--provider', 'gcp', '--catalog', 'offers.json'] as const
    const head = async (...args: string[]) => {
      const { stdout } = await folder.run('list_instance_types', ...options, ...args)
      assert.match(stdout, /^Retrieving instance types\.\.\.\nRetrieving pricing information\.\.\.\n/)
      return (stdout.split('\n')[3] ?? '')
        .split('|')
        .map(cell => cell.trim())
        .filter(cell => cell !== '')
    }
    const plain = ['Instance Type', 'Arch', 'vCPU', 'Mem GB', 'Disk GB', 'Boot Disk Type', 'Total $/h', 'Zone']
    assert.deepEqual(await head('--architecture', 'x86_64'), plain)
    assert.deepEqual(await head('--architecture', 'arm64', '--detail'), [
      ...['Instance Type', 'Arch', 'vCPU', 'Mem GB', 'LSSD GB', 'Disk GB', 'Boot Disk Type', 'vCPU $/vCPU/h'],
      ...['Mem $/GB/h', 'Total $/h', 'Total $/vCPU/h', 'Zone', 'Processor', 'Rank', 'Description'],
    ])
  })

  it('refuses a column that there is not, and says when nothing is left', async () => {
    const wrong = await folder.run('list_instance_types', '--provider', 'local', '--sort-by', 'colour')
    assert.equal(wrong.exitCode, 1)
    assert.match(wrong.stderr, /Cannot sort by "colour"; columns are type, t, name/)
    const none = await folder.run('list_instance_types', '--provider', 'local', '--min-cpu', '4096')
    assert.deepEqual([none.exitCode, /No instance types found$/m.test(none.stdout)], [0, true])
  })

  it('prints rows that --catalog reads again', async () => {
    const { stdout } = await folder.run('list_instance_types', '--config', 'job.yml', '--json')
    folder.write('again.json', stdout)
    const again = await folder.run('list_instance_types', '--config', 'job.yml', '--json', '--catalog', 'again.json')
    assert.deepEqual(JSON.parse(again.stdout), JSON.parse(stdout))
  })
})

describe('list_regions and list_images', () => {
  const folder = new JobFolder({ jobId: 'listed' })
  after(() => folder.remove())

  it('take the provider from the command line or from the job file', async () => {
    for (const from of [
      ['--provider', 'local'],
      ['--config', 'job.yml'],
    ]) {
      assert.match(
        (await folder.run('list_regions', ...from)).stdout,
        /^Found 1 regions:\n\+.*\n\| Region \| Description/,
      )
      assert.match((await folder.run('list_images', ...from)).stdout, /^Retrieving images\.\.\.\nFound 1 images:\n/)
    }
  })

  it('narrow and detail', async () => {
    const regions = await folder.run('list_regions', '--provider', 'local', '--prefix', 'eu-')
    assert.equal(regions.stdout, "No regions found with prefix 'eu-'\n")
    const detail = await folder.run('list_regions', '--provider', 'local', '--detail')
    assert.match(detail.stdout, /^Region: +local\nDescription: .*\nZones: +local-a, local-b\n$/m)
    const images = await folder.run(
      'list_images',
      '--provider',
      'local',
      '--filter',
      'THIS-',
      '--sort-by',
      '-fam,n',
      '--json',
    )
    assert.deepEqual(
      JSON.parse(images.stdout).map(({ name }: { name: string }) => name),
      ['this-machine'],
    )
  })
})
