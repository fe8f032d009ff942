import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SectionValues } from '../../core/config-keys.ts'
import type { Offer } from '../../infra/provider.ts'
import { timesToCover, timesWithin } from '../../manager/exact-division.ts'
import { bootDiskGib, selectOffers, tasksPerVm } from '../../manager/select-offers.ts'
import { configWith, offer } from './offers.ts'

function names(offers: readonly Offer[], needs: SectionValues = {}, spot = true): string[] {
  return selectOffers(offers, configWith(needs), { spot }).map(({ offer: { instanceType } }) => instanceType)
}

describe('division of decimal amounts', () => {
  it('is exact where binary fractions are not', () => {
    assert.equal(timesWithin(10, 0.1), 100)
    assert.equal(timesWithin(0.3, 0.1), 3)
    assert.equal(timesWithin(0.7, 0.1), 7)
    assert.equal(timesWithin(0.29, 0.1), 2)
    assert.equal(timesWithin(-1, 0.1), 0)
    assert.equal(timesWithin(1, 0), Number.POSITIVE_INFINITY)
    assert.equal(timesToCover(0.3, 0.1), 3)
    assert.equal(timesToCover(0.31, 0.1), 4)
    assert.equal(timesToCover(0, 3), 0)
  })
})

describe('the choice of instance types', () => {
  const small = offer({ instanceType: 'n2-small', vcpuCount: 2, memoryGib: 8, priceUsdPerHour: 0.1 })
  const big = offer({ instanceType: 'n2-big', vcpuCount: 16, memoryGib: 32, priceUsdPerHour: 0.64, cpuRank: 12 })
  const arm = offer({ instanceType: 't2a', architecture: 'ARM64', cpuFamily: 'Ampere Altra', priceUsdPerHour: 0.06 })
  const all = [small, big, arm]

  it('puts the cheapest per usable vCPU first', () => {
    assert.deepEqual(names(all), ['t2a', 'n2-big', 'n2-small'])
  })

  it('of equals takes the one with more vCPUs, then the order of the catalog', () => {
    const twin = offer({ instanceType: 'twin', vcpuCount: 4, priceUsdPerHour: 0.2 })
    assert.deepEqual(names([small, twin]), ['twin', 'n2-small'])
    assert.deepEqual(names([small, { ...small, instanceType: 'later' }]), ['n2-small', 'later'])
  })

  it('counts vCPUs that no task can use as wasted', () => {
    const three = offer({ instanceType: 'three', vcpuCount: 3, priceUsdPerHour: 0.12 })
    assert.deepEqual(names([three, small]), ['three', 'n2-small'])
    assert.deepEqual(names([three, small], { cpus_per_task: 2 }), ['n2-small', 'three'])
  })

  for (const [needs, expected] of [
    [{ instance_types: ['n2-'] }, ['n2-big', 'n2-small']],
    [{ instance_types: ['small'] }, 'instance_types small'],
    [{ instance_types: ['n2-small|t2a'] }, ['t2a', 'n2-small']],
    [{ architecture: 'arm64' }, ['t2a']],
    [{ cpu_family: 'ice-lake' }, ['n2-big', 'n2-small']],
    [{ cpu_family: 'Rome' }, 'cpu_family Rome'],
    [{ min_cpu_rank: 13, architecture: 'x86_64' }, ['n2-small']],
    [{ max_cpu: 2 }, ['t2a', 'n2-small']],
    [{ min_memory_per_cpu: 4 }, ['t2a', 'n2-small']],
    [{ min_memory_per_task: 8, cpus_per_task: 2 }, ['t2a', 'n2-small']],
    [{ min_tasks_per_instance: 4 }, ['n2-big']],
    [{ max_tasks_per_instance: 2 }, ['t2a', 'n2-small']],
    [{ min_local_ssd: 1 }, 'local_ssd ≥ 1'],
    [{ zone: 'z-b' }, 'zone z-b'],
    [{ cpus_per_task: 64 }, 'vCPUs for its tasks ≥ 64'],
  ] as const satisfies readonly (readonly [SectionValues, readonly string[] | string])[]) {
    it(`honours ${JSON.stringify(needs)}`, () => {
      if (typeof expected === 'string')
        assert.throws(() => names(all, needs), { message: new RegExp(`3 fail ${expected}`) })
      else assert.deepEqual(names(all, needs), expected)
    })
  }

  it('leaves out what cannot be had as spot only when spot is wanted', () => {
    const fixed = offer({ instanceType: 'fixed', spotSupported: false })
    assert.deepEqual(names([fixed], {}, false), ['fixed'])
    assert.throws(() => names([fixed]), /1 fail use_spot/)
  })

  it('takes only the wanted boot disks', () => {
    const disks = ['pd-standard', 'pd-ssd'].map(type => offer({ instanceType: type, bootDiskType: type }))
    assert.deepEqual(names(disks, { boot_disk_types: ['PD-SSD'] }), ['pd-ssd'])
  })

  it('says so when nothing is on offer at all', () => {
    assert.throws(() => names([]), /No instance type is offered as spot here/)
  })

  it('runs as many tasks on a VM as fit, within the bounds', () => {
    assert.equal(tasksPerVm(4, configWith().tasks), 4)
    assert.equal(tasksPerVm(4, configWith({ cpus_per_task: 3 }).tasks), 1)
    assert.equal(tasksPerVm(3, configWith({ cpus_per_task: 0.1 }).tasks), 30)
    assert.equal(tasksPerVm(8, configWith({ max_tasks_per_instance: 5 }).tasks), 5)
  })

  it('makes the boot disk as big as the greediest rule asks', () => {
    const size = (needs: SectionValues) => {
      const { bootDisk, tasks } = configWith(needs)
      return bootDiskGib(4, bootDisk, tasks)
    }
    assert.equal(size({}), 10)
    assert.equal(size({ boot_disk_base_size: 5, boot_disk_per_cpu: 2.6 }), 15)
    assert.equal(size({ boot_disk_per_task: 7, cpus_per_task: 2 }), 14)
  })
})
