export interface Scenario {
  name: string
  about: string
  /** In `servers/`. */
  server: string
  args: readonly string[]
  /** Every request has an Idempotency-Key of its own. */
  keyed?: boolean
}

/** What all ratios are to. */
export const baseline: Scenario = {
  name: 'bare',
  about: 'a Fastify route that validates the body and answers 202',
  server: 'bare.ts',
  args: [],
}

export const withoutKafka: readonly Scenario[] = [
  {
    name: 'instant',
    about: 'our API on a broker that acknowledges at once',
    server: 'carillon.ts',
    args: ['instant'],
  },
  {
    name: 'embedded',
    about: 'our API on the embedded broker, every commit on disk',
    server: 'carillon.ts',
    args: ['embedded'],
  },
]

/** @param address `host:port` */
export function onKafka(address: string): Scenario[] {
  return [
    { name: 'kafka', about: 'our API on Kafka, acks=all', server: 'carillon.ts', args: [address] },
    {
      name: 'keyed',
      about: 'the same, with an Idempotency-Key of its own for each request',
      server: 'carillon.ts',
      args: [address],
      keyed: true,
    },
    {
      name: 'naive',
      about: 'the bare route and one kafkajs send for each request, acks=all',
      server: 'naive-kafka.ts',
      args: [address],
    },
  ]
}
