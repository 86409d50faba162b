import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { pino } from 'pino'
import { systemClock as clock } from '../../core/clock.ts'
import type { DeploymentObject } from '../../operator/channel/children/deployment.ts'
import { childName, managedSelector } from '../../operator/channel/names.ts'
import { isRollingOut } from '../../operator/channel/workers/condition.ts'
import { upgradeBudget } from '../../operator/channel/workers/upgrade-budget.ts'
import { deployments } from '../../operator/kinds.ts'
import { Cache } from '../../operator/runtime/watch/cache.ts'
import { Reflector } from '../../operator/runtime/watch/reflector.ts'
import { until } from '../harness/balance/load.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'
import { releaseNamespace } from '../harness/operator/operator.ts'
import { sandboxChannel } from '../harness/operator/sandbox-channel.ts'
import type { RoleProcess } from '../harness/process/role.ts'

const logger = pino({ level: 'silent' })
const names = Array.from({ length: 12 }, (_, index) => `c${index}`)

describeOperatorCluster((cluster) => {
  let operator: RoleProcess
  let reflector: Reflector<DeploymentObject>
  const seen = new Cache<DeploymentObject>()

  beforeAll(async () => {
    const place = { namespace: releaseNamespace, labelSelector: managedSelector }
    reflector = new Reflector({
      api: cluster.api,
      kind: deployments,
      cache: seen,
      clock,
      logger,
      ...place,
    })
    reflector.start()
    operator = cluster.startOperator({ CARILLON_IMAGE: 'carillon:1' })
    await cluster.apply(names.map((name) => sandboxChannel(name)).join(''))
    await until(
      () => count('carillon:1', { done: true }) === names.length,
      'all run the first release',
      120_000,
    )
  }, 240_000)
  afterAll(() => reflector?.stop())

  const imageOf = ({ spec }: DeploymentObject) => spec.template.spec?.containers[0]?.image
  const count = (image: string, { done }: { done: boolean }) =>
    seen.list().filter((each) => imageOf(each) === image && isRollingOut(each) !== done).length
  const upgrade = async (image: string) => {
    await operator.stop()
    operator = cluster.startOperator({ CARILLON_IMAGE: image })
  }

  it('rolls the workers of all channels to a new release, a few at a time', async () => {
    let most = 0
    seen.onChange(() => (most = Math.max(most, count('carillon:2', { done: false }))))
    await upgrade('carillon:2')
    await until(
      () => count('carillon:2', { done: true }) === names.length,
      'all run the second release',
      120_000,
    )
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(upgradeBudget)
  }, 180_000)

  it('stops at these few when the new workers do not get ready, says so, and lets edits through', async () => {
    const { run } = cluster.control
    await run(['cordon', 'fake'])
    onTestFinished(async () => void (await run(['uncordon', 'fake'])))
    await upgrade('carillon:3')
    const waiting = () =>
      names.filter((name) => {
        const live = seen.get({ namespace: releaseNamespace, name: childName({ namespace: 'shop', name }) })
        return live !== undefined && imageOf(live) === 'carillon:2'
      })
    await until(() => waiting().length === names.length - upgradeBudget, 'the budget is used up')
    const [first, second] = waiting() as [string, string]
    await until(async () => {
      const { reason, message } = await cluster.condition(`nch/${first}`, 'WorkersReady', 'True')
      const told =
        /^1 of 1 workers are ready, of the release before: the upgrade waits for the new workers of (.*)$/.exec(
          message,
        )?.[1]
      return reason === 'UpgradeWaits' && told?.split(', ').length === upgradeBudget
    }, 'the condition says whom the upgrade waits for')
    await cluster.condition(`nch/${first}`, 'Ready', 'True', { reason: 'Ready' })

    await cluster.apply(sandboxChannel(second, 'workers: {labels: {edited: "yes"}}'))
    await until(() => !waiting().includes(second), 'the edit has not waited')
    expect(waiting()).toHaveLength(names.length - upgradeBudget - 1)

    await run(['uncordon', 'fake'])
    await until(
      () => count('carillon:3', { done: true }) === names.length,
      'all run the third release',
      120_000,
    )
    await cluster.condition(`nch/${first}`, 'WorkersReady', 'True', { reason: 'WorkersReady' })
  }, 240_000)
})
