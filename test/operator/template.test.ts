import { beforeAll, expect, it } from 'vitest'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import { revisionOf } from '../../core/catalog/records.ts'
import { until } from '../harness/balance/load.ts'
import { describeOperatorCluster } from '../harness/operator/describe-cluster.ts'

const template = (text: string, expected: string, name = 'shipped') => `
apiVersion: carillon.dev/v1alpha1
kind: NotificationTemplate
metadata: {name: ${name}, namespace: shop}
spec:
  category: orders
  variables: {type: object, required: [order], properties: {order: {type: string}}}
  content: {sms: {text: "${text}"}, email: {subject: "Order {{ data.order }}", text: "${text}"}}
  locales: {de: {sms: {text: "Bestellung {{ data.order }}"}}}
  samples: [{name: basic, data: {order: "7"}, expect: {sms: {text: "${expected}"}}}]
`

describeOperatorCluster((cluster) => {
  let catalog: OpenCatalog

  beforeAll(async () => {
    await cluster.startOperator().ready()
    catalog = await cluster.openCatalog()
  }, 120_000)

  const serving = () => catalog.template('shop', 'shipped')

  it('publishes a template that is proven, and says what it has', async () => {
    await cluster.apply(template('Order {{ data.order }} shipped', 'Order 7 shipped'))
    await cluster.condition('ntpl/shipped', 'Ready', 'True', { reason: 'Serving' })
    await cluster.condition('ntpl/shipped', 'Valid', 'True', {
      message: 'every part parses, 1 samples render as expected',
    })
    const { status } = (await cluster.get<{ status: object }>('ntpl', 'shipped'))!
    expect(status).toMatchObject({ locales: ['en', 'de'], channels: ['email', 'sms'] })
    await until(() => serving() !== undefined, 'it is in the catalog')
    expect(await cluster.control.run(['get', 'ntpl', '-n', 'shop'])).toMatch(
      /NAME +CATEGORY +REVISION +CHANNELS +READY +AGE\nshipped +orders +1-[0-9a-f]{6} .*True/,
    )
  }, 120_000)

  it('leaves the last good revision serving when an edit does not do what it says', async () => {
    const good = serving()!.revision
    await cluster.apply(template('Order {{ data.order }} sent', 'Order 7 shipped'))
    await cluster.condition('ntpl/shipped', 'Valid', 'False', {
      reason: 'InvalidContent',
      message: /^spec\.samples\.0\.expect\.sms\.text: /,
    })
    await cluster.condition('ntpl/shipped', 'Ready', 'False', {
      message: /; revision 1-[0-9a-f]{6} goes on serving$/,
    })
    await cluster.apply(template('Order {{ data.order | shout }}', 'x'))
    await cluster.condition('ntpl/shipped', 'Valid', 'False', { message: /spec\.content\..*shout/ })
    expect(serving()?.revision).toBe(good)
  }, 120_000)

  it('keeps a revision that deliveries may name when a newer one serves, and when the template is gone', async () => {
    const old = serving()!
    await cluster.apply(template('Order {{ data.order }} is on its way', 'Order 7 is on its way'))
    await cluster.condition('ntpl/shipped', 'Ready', 'True')
    await until(() => serving()?.revision !== old.revision, 'the new revision serves')
    expect(revisionOf(catalog.templateRevision('shop', 'shipped', old.revision)!.resource)).toBe(old.revision)
    await cluster.control.run(['delete', 'ntpl', 'shipped', '-n', 'shop'])
    await until(() => serving() === undefined, 'it no longer serves')
    expect(catalog.templateRevision('shop', 'shipped', old.revision)).toBeDefined()
  }, 120_000)

  it('has asked for nothing that its roles do not allow', async () => {
    expect((await cluster.requests()).filter(({ forbidden }) => forbidden)).toEqual([])
  })
})
