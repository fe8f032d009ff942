// How entries of Google's price list are told apart by their English.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gpuKeyOf, parseSku } from '../../../infra/gcp/prices-sku.ts'

describe('entries of the price list', () => {
  it('knows the vCPUs and the memory of each family, spot or not', () => {
    const known: readonly (readonly [description: string, key: string])[] = [
      ['N2 Instance Core running in Americas', 'n2 core'],
      ['N1 Predefined Instance Ram running in Frankfurt', 'n1 ram'],
      ['N2D AMD Instance Ram running in Americas', 'n2d ram'],
      ['C4A Arm Instance Core running in Americas', 'c4a core'],
      ['Compute optimized Core running in Sydney', 'c2 core'],
      ['Compute optimized Instance Ram running in Americas', 'c2 ram'],
      ['Memory-optimized Instance Core running in Americas', 'm1 core'],
      ['M3 Memory-optimized Instance Ram running in Americas', 'm3 ram'],
      ['M4Ultramem224 Instance Ram running in Americas', 'm4ultramem224 ram'],
      ['Small Instance with 1 VCPU running in Americas', 'g1-small whole'],
    ]
    for (const [description, key] of known) {
      assert.deepEqual(parseSku(description, 'OnDemand'), { key, spot: false }, description)
      assert.deepEqual(parseSku(`Spot Preemptible ${description}`, 'Preemptible'), { key, spot: true }, description)
      assert.equal(parseSku(description, 'Commit1Yr'), undefined)
    }
  })

  it('knows disks, SSDs and accelerators', () => {
    const key = (description: string, usageType = 'OnDemand') => parseSku(description, usageType)?.key
    assert.equal(key('SSD backed PD Capacity in Netherlands'), 'disk pd-ssd')
    assert.equal(key('Hyperdisk Balanced Throughput'), 'throughput hd-balanced')
    assert.equal(key('Hyperdisk Balanced IOPS in Iowa'), 'iops hd-balanced')
    assert.equal(key('SSD backed Local Storage attached to Spot Preemptible VMs in Paris', 'Preemptible'), 'ssd')
    assert.equal(key('C4D Instance Local SSD running in Frankfurt'), 'c4d ssd')
    assert.equal(key('Nvidia Tesla A100 80GB GPU running in Americas'), gpuKeyOf('nvidia-a100-80gb'))
    assert.equal(key('Nvidia H100 80GB Mega GPU running in Americas'), gpuKeyOf('nvidia-h100-mega-80gb'))
    assert.equal(
      key('Nvidia L4 GPU attached to Spot Preemptible VMs running in Iowa', 'Preemptible'),
      gpuKeyOf('nvidia-l4'),
    )
  })

  it('takes nothing else for them', () => {
    for (const description of [
      'C3 Sole Tenancy Instance Core running in Americas',
      'N2 Custom Instance Core running in Americas',
      'N2 Custom Extended Instance Ram running in Americas',
      'Sole Tenancy Premium for C4 Sole Tenancy Instance Core running in Americas',
      'DWS Defined Duration A3 Core running in Americas',
      'Reserved M4 Core in Americas',
      'Regional Balanced PD Capacity in Iowa',
      'Hyperdisk Balanced High Availability Capacity in Iowa',
      'Hyperdisk Balanced Storage Pools Advanced Capacity in Iowa',
      'Confidential Mode Hyperdisk Balanced Capacity in Iowa',
      'Storage PD Snapshot in Iowa',
      'Network Internet Egress from Americas to Americas',
    ]) {
      assert.equal(parseSku(description, 'OnDemand'), undefined, description)
    }
  })
})
