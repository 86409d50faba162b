import { expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { MemoryCluster } from '../../test/simulation/memory-broker/cluster.ts'
import { dryRunBroker } from './broker.ts'

const topic = (name: string, partitions = 1) => ({ name, partitions, replicas: 1, config: {} })

async function brokers() {
  const cluster = new MemoryCluster({ clock: systemClock, gaps: false })
  const real = cluster.open({
    call: (_name, effect) => Promise.resolve(effect()),
    push: (handle) => void setImmediate(handle),
  })
  await real.admin.createTopics([topic('old', 2), topic('doomed')])
  await real.producer.produce([{ topic: 'old', key: 'a', value: Buffer.from('real') }])
  const lines: string[] = []
  return { real, lines, planned: dryRunBroker(real, (line) => lines.push(line)) }
}

it('shows the changes of topics to whoever asks it, and makes none', async () => {
  const { real, planned, lines } = await brokers()
  await planned.admin.createTopics([topic('old'), topic('new')])
  await planned.admin.growPartitions('old', 4)
  await planned.admin.alterConfig('new', { 'retention.ms': '1' })
  await planned.admin.deleteTopics(['doomed', 'never'])

  expect(lines).toEqual([
    'Topic new created',
    'Topic old configured: 2 -> 4 partitions',
    'Topic new configured: retention.ms=1',
    'Topic doomed deleted',
  ])
  expect(await planned.admin.describeTopics(['old', 'new', 'doomed'])).toMatchObject([
    { name: 'old', partitions: 4 },
    { name: 'new', config: { 'retention.ms': '1' } },
  ])
  expect((await planned.admin.listTopics('')).toSorted()).toEqual(['new', 'old'])
  expect((await real.admin.listTopics('')).toSorted()).toEqual(['doomed', 'old'])
  expect(await real.admin.describeTopics(['old'])).toMatchObject([{ partitions: 2 }])
})

it('has nothing on topics that would be made, and what there is on the others', async () => {
  const { planned } = await brokers()
  await planned.admin.createTopics([topic('new', 2)])
  await planned.admin.alterConfig('old', { 'retention.ms': '1' })
  const lags = await planned.admin.lag([{ group: 'g', topics: ['old', 'new'] }])
  const of = (name: string) => lags.filter((lag) => lag.topic === name).map(({ lag }) => lag)
  expect(new Set(of('old'))).toEqual(new Set([0, 1]))
  expect(of('new')).toEqual([0, 0])
  const points = ['old', 'new'].map((name) => ({ topic: name, timestamp: 0 }))
  expect(await planned.admin.offsetsAt(points)).toHaveLength(4)
  await expect(planned.admin.lag([{ group: 'g', topics: ['never'] }])).rejects.toMatchObject({
    code: 'unknown_topic',
  })
})

it('lets followers read what is there and what would be, and writes nothing', async () => {
  const { real, planned } = await brokers()
  const texts: string[] = []
  const listen = (text: string[]) => (record: { value: Buffer | null }) => text.push(String(record.value))
  const early = await planned.follow('old', listen(texts))
  await planned.producer.produce([{ topic: 'old', key: 'a', value: Buffer.from('planned') }])
  expect(texts).toEqual(['real', 'planned'])
  await early.close()

  const late: string[] = []
  await planned.follow('old', listen(late))
  await planned.follow('nowhere', listen(late))
  expect(late).toEqual(['real', 'planned'])
  const truth: string[] = []
  await real.follow('old', listen(truth))
  expect(truth).toEqual(['real'])
})
