// One launch as one EC2 Fleet request: what is asked for, and that repeating it is the same request.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { FleetPlaces } from '../../../infra/aws/fleet-places.ts'
import { comparableChoices, fleetRequest } from '../../../infra/aws/fleet-request.ts'
import type { LaunchChoice, LaunchPlan, Offer } from '../../../infra/provider.ts'

const OFFER: Offer = {
  instanceType: 'c5.large',
  vcpuCount: 2,
  memoryGib: 4,
  architecture: 'X86_64',
  cpuFamily: undefined,
  cpuRank: 0,
  localSsdGib: 0,
  spotSupported: true,
  zone: 'us-east-1a',
  bootDiskType: undefined,
  priceUsdPerHour: 0.04,
}
const BOOT_EBS = { VolumeSize: 10, VolumeType: 'gp3', Iops: 4000, Throughput: 200, Encrypted: true } as const
const DATA_DISK = { DeviceName: '/dev/xvdb', Ebs: { VolumeSize: 100 } }
const PLACES: FleetPlaces = {
  templateId: 'lt-1',
  disks: [{ DeviceName: '/dev/xvda', Ebs: BOOT_EBS }, DATA_DISK],
  subnetsByZone: new Map([
    ['us-east-1a', 'subnet-a'],
    ['us-east-1b', 'subnet-b'],
  ]),
}

describe('aws: fleet request', () => {
  it('asks for spot VMs where capacity is deepest and prices are low, best choice first', () => {
    const request = fleetRequest('job', plan([choice(), choice({ zone: 'us-east-1b' })]), PLACES)
    assert.equal(request.Type, 'instant')
    assert.deepEqual(request.TargetCapacitySpecification, { TotalTargetCapacity: 3, DefaultTargetCapacityType: 'spot' })
    assert.deepEqual(request.SpotOptions, {
      AllocationStrategy: 'price-capacity-optimized',
      InstanceInterruptionBehavior: 'terminate',
    })
    assert.equal(request.OnDemandOptions, undefined)
    assert.deepEqual(request.LaunchTemplateConfigs, [
      {
        LaunchTemplateSpecification: { LaunchTemplateId: 'lt-1', Version: '$Latest' },
        Overrides: [
          { InstanceType: 'c5.large', SubnetId: 'subnet-a', Priority: 0 },
          { InstanceType: 'c5.large', SubnetId: 'subnet-b', Priority: 1 },
        ],
      },
    ])
  })

  it('asks for the cheapest on-demand VMs', () => {
    const request = fleetRequest('job', { ...plan([choice()]), spot: false }, PLACES)
    assert.equal(request.TargetCapacitySpecification?.DefaultTargetCapacityType, 'on-demand')
    assert.deepEqual(request.OnDemandOptions, { AllocationStrategy: 'lowest-price' })
    assert.equal(request.SpotOptions, undefined)
  })

  it('is the same when it is repeated, and has a token of its own for each launch of each job', () => {
    const whole = plan([choice()])
    assert.deepEqual(fleetRequest('job', whole, PLACES), fleetRequest('job', whole, PLACES))
    const tokens = [
      fleetRequest('job', whole, PLACES),
      fleetRequest('other', whole, PLACES),
      fleetRequest('job', { ...whole, token: 'token-2' }, PLACES),
    ].map(request => request.ClientToken)
    assert.equal(new Set(tokens).size, 3)
    for (const token of tokens) assert.match(token ?? '', /^[0-9a-f]{64}$/)
  })

  it("leaves the template's disks alone where they are as wanted", () => {
    assert.equal(disksOf(choice({}, 10)), undefined)
    assert.equal(disksOf(choice({ bootDiskType: 'gp3' }, 9.5)), undefined)
    assert.equal(disksOf(choice({}, 50), { ...PLACES, disks: [] }), undefined)
  })

  it('gives the boot disk its size, and keeps all else of the disks', () => {
    assert.deepEqual(disksOf(choice({ bootDiskType: 'gp3' }, 49.2)), [
      { DeviceName: '/dev/xvda', Ebs: { ...BOOT_EBS, VolumeSize: 50 } },
      DATA_DISK,
    ])
  })

  it('gives a boot disk of another type the speed that goes with it', () => {
    const slow = { VolumeSize: 20, VolumeType: 'gp2', Encrypted: true }
    assert.deepEqual(disksOf(choice({ bootDiskType: 'gp2' }, 20))?.[0]?.Ebs, slow)
    const fast = { VolumeSize: 20, VolumeType: 'io1', Encrypted: true, Iops: 1000 }
    assert.deepEqual(disksOf(choice({ bootDiskType: 'io1' }, 20))?.[0]?.Ebs, fast)
    assert.equal(disksOf(choice({ bootDiskType: 'io2' }, 500))?.[0]?.Ebs?.Iops, 3000)
  })

  it('compares only VMs that hold as many tasks as the best, each once a zone', () => {
    const best = choice({ instanceType: 'c5.xlarge' }, 10, 4)
    const same = choice({ instanceType: 'c5.xlarge', bootDiskType: 'gp2' }, 10, 4)
    const bigger = choice({ instanceType: 'c5.2xlarge' }, 10, 8)
    assert.deepEqual(comparableChoices([best, choice(), same, bigger]), [best, bigger])
    assert.deepEqual(comparableChoices([]), [])
  })
})

function plan(choices: readonly LaunchChoice[]): LaunchPlan {
  return { token: 'token-1', vmCount: 3, spot: true, choices }
}

function choice(offer: Partial<Offer> = {}, bootDiskGib = 10, tasksPerVm = 2): LaunchChoice {
  return { offer: { ...OFFER, ...offer }, bootDiskGib, tasksPerVm }
}

function disksOf(wanted: LaunchChoice, places = PLACES) {
  const [config] = fleetRequest('job', plan([wanted]), places).LaunchTemplateConfigs ?? []
  return config?.Overrides?.[0]?.BlockDeviceMappings
}
