import { join } from 'node:path'

export interface KafkaProperties {
  id: number
  port: number
  internalPort: number
  controllerPort: number
  /** `host:port` by which clients find it. */
  address: string
  /** Where it keeps its files, a `certificate.pem` for its clients among them if they must log in. */
  folder: string
  /** Every controller: `id@host:port`, separated by commas. */
  voters: string
  /** Brokers of the cluster: topics of the cluster's own have as many copies. */
  copies: number
  /** Whether clients must speak TLS and log in; brokers among themselves need not. */
  secured: boolean
  /** Over those of the harness. */
  settings: Readonly<Record<string, string>>
}

/** The text of `server.properties` of one broker, which is a controller too. */
export function kafkaProperties(options: KafkaProperties): string {
  const { id, port, internalPort, controllerPort, address, folder, voters, copies, secured, settings } =
    options
  const quorum = String(Math.max(1, copies - 1))
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    listeners: `CLIENTS://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENTS://${address},INTERNAL://127.0.0.1:${internalPort}`,
    'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENTS:${secured ? 'SASL_SSL' : 'PLAINTEXT'}`,
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': String(copies),
    'min.insync.replicas': quorum,
    'offsets.topic.replication.factor': String(copies),
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': String(copies),
    'transaction.state.log.min.isr': quorum,
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.segment.bytes': '16777216',
    // A broker that died is missed, and may come back, after 1.5 s instead of 9.
    'broker.session.timeout.ms': '1500',
    'broker.heartbeat.interval.ms': '250',
    // Cleaning within a test's patience.
    'log.retention.check.interval.ms': '500',
    'log.initial.task.delay.ms': '500',
    'log.cleaner.backoff.ms': '250',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'file.delete.delay.ms': '1000',
    ...(secured ? securitySettings(join(folder, 'certificate.pem')) : {}),
    ...settings,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function securitySettings(certificate: string): Record<string, string> {
  const listener = 'listener.name.clients'
  return {
    [`${listener}.sasl.enabled.mechanisms`]: 'SCRAM-SHA-512',
    [`${listener}.scram-sha-512.sasl.jaas.config`]:
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    [`${listener}.ssl.keystore.type`]: 'PEM',
    [`${listener}.ssl.keystore.location`]: certificate,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Who comes without a name is another broker.
    'super.users': 'User:ANONYMOUS;User:admin',
  }
}

/** The text of `log4j2.properties`: warnings and what a broker does, to its standard output. */
export const kafkaLogging = `status=ERROR
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
`
