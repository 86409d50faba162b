import { expect, it } from 'vitest'
import { workerPlatform } from './worker-settings.ts'

const bootstrapServers = ['a:9092', 'b:9092']
const settings: Parameters<typeof workerPlatform>[0] = {
  kubeconfig: undefined,
  namespace: 'carillon-system',
  watchNamespaces: [],
  image: 'carillon:1',
  dryRun: false,
  topicReplicas: 3,
  takeOverFrom: undefined,
  healthListen: { host: '127.0.0.1', port: 0 },
  kafkaBootstrapServers: bootstrapServers,
  kafkaSecurityProtocol: 'PLAINTEXT',
  kafkaSaslMechanism: undefined,
  kafkaSaslUsername: undefined,
  kafkaSaslPasswordFile: undefined,
  kafkaSslCaFile: undefined,
  topicPrefix: 'carillon',
  databaseUrl: 'postgresql://carillon:s3cret@postgres/carillon',
  redisUrl: undefined,
  logLevel: 'INFO',
}

it('tells the workers no more than they need', () => {
  expect(workerPlatform(settings, { bootstrapServers }, { HOME: '/root' })).toEqual({
    image: 'carillon:1',
    namespace: 'carillon-system',
    topicPrefix: 'carillon',
    environment: {
      KAFKA_BOOTSTRAP_SERVERS: 'a:9092,b:9092',
      KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT',
      LOG_LEVEL: 'INFO',
    },
    secretEnvironment: { DATABASE_URL: settings.databaseUrl },
    secretFiles: {},
  })
})

it('keeps passwords and keys out of what is no Secret', () => {
  const platform = workerPlatform(
    {
      ...settings,
      kafkaSecurityProtocol: 'SASL_SSL',
      kafkaSaslMechanism: 'SCRAM-SHA-512',
      kafkaSaslUsername: 'worker',
      redisUrl: 'redis://:s3cret@redis',
    },
    {
      bootstrapServers,
      sasl: { mechanism: 'scram-sha-512', username: 'worker', password: 's3cret' },
      tls: { ca: 'certificate' },
    },
    { OTEL_EXPORTER_OTLP_HEADERS: 'api-key=s3cret' },
  )
  expect(platform.secretFiles).toEqual({
    KAFKA_SASL_PASSWORD_FILE: 's3cret',
    KAFKA_SSL_CA_FILE: 'certificate',
  })
  expect(Object.keys(platform.secretEnvironment)).toEqual([
    'DATABASE_URL',
    'KAFKA_SASL_USERNAME',
    'REDIS_URL',
    'OTEL_EXPORTER_OTLP_HEADERS',
  ])
  expect(platform.environment).toMatchObject({ KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' })
  expect(JSON.stringify(platform.environment)).not.toContain('s3cret')
})
