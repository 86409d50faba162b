import { expect, it } from 'vitest'
import { Cache } from '../../runtime/watch/cache.ts'
import { annotation, type DeploymentObject } from '../children/deployment.ts'
import { UpgradeBudget, upgradeBudget } from './upgrade-budget.ts'

const waits = { mustGo: false }
let versions = 0

function deployment(name: string, release: string, { done = true } = {}): DeploymentObject {
  const template = { metadata: { annotations: { [annotation.release]: release } } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'system', generation: 1, resourceVersion: String(++versions) },
    spec: { replicas: 1, selector: {}, template },
    status: { observedGeneration: 1, replicas: 1, updatedReplicas: done ? 1 : 0 },
  }
}

function start() {
  const deployments = new Cache<DeploymentObject>()
  const old = Array.from({ length: upgradeBudget + 2 }, (_, index) => deployment(`nch-${index}`, 'old'))
  for (const each of old) deployments.put(each)
  return {
    deployments,
    old,
    budget: new UpgradeBudget({ deployments, release: 'new', places: upgradeBudget }),
  }
}

it('admits no more than the budget at a time, though the watch has not told of any yet', () => {
  const { old, budget } = start()
  const answers = old.map((each) => budget.admit(each, waits) === 'admitted')
  expect(answers.filter(Boolean)).toHaveLength(upgradeBudget)
  expect(budget.admit(old[0]!, waits)).toBe('admitted')
})

it('goes on as rollouts end, and says whom it waits for until then', () => {
  const { deployments, old, budget } = start()
  for (const each of old.slice(0, upgradeBudget)) {
    budget.admit(each, waits)
    deployments.put(deployment(each.metadata.name, 'new', { done: false }))
  }
  const rolling = budget.admit(old.at(-1)!, waits)
  expect(rolling).toHaveLength(upgradeBudget)
  deployments.put(deployment('nch-0', 'new'))
  expect(budget.admit(old.at(-1)!, waits)).toBe('admitted')
  expect(budget.admit(old.at(-2)!, waits)).not.toBe('admitted')
})

it('lets an edit go at once, and counts it', () => {
  const { old, budget } = start()
  for (const each of old.slice(0, upgradeBudget - 1)) budget.admit(each, waits)
  expect(budget.admit(old.at(-1)!, { mustGo: true })).toBe('admitted')
  expect(budget.admit(old.at(-2)!, waits)).not.toBe('admitted')
  expect(budget.admit(old.at(-2)!, { mustGo: true })).toBe('admitted')
})

it('gives back what could not be used, and what is gone', () => {
  const { deployments, old, budget } = start()
  for (const each of old) budget.admit(each, waits)
  budget.release(old[0]!)
  expect(budget.admit(old.at(-1)!, waits)).toBe('admitted')
  deployments.remove(old[1]!)
  expect(budget.admit(old.at(-2)!, waits)).toBe('admitted')
})
