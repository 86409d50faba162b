export const sandbox = 'type: email, providers: [{name: a, type: sandbox}]'
const smtp = (secret: string) =>
  `type: email, providers: [{name: a, type: smtp, smtp: {host: mail.example.com, from: "a@example.com"}, secretRef: {name: ${secret}}}]`

const webhook = (secret: string) =>
  `type: webhook, providers: [{name: a, type: webhook, webhook: {}, secretRef: {name: ${secret}}}]`

export interface Told {
  what: string
  /** One of its own by default. */
  name?: string
  /** What is wrong with the channel, beside the least that one needs. */
  more: string
  providers?: string
  condition: string
  status?: string
  reason: string
  /** Part of the message; `%p` is the prefix. */
  message: string
}

/** Channels that the API server takes, and what their conditions say then. */
export const channels: Told[] = [
  {
    what: 'a Secret that is not there',
    more: '',
    providers: smtp('absent'),
    condition: 'CredentialsReady',
    reason: 'SecretNotFound',
    message: 'there is no Secret shop/absent',
  },
  {
    what: 'a Secret without the key',
    more: '',
    providers: webhook('empty'),
    condition: 'CredentialsReady',
    reason: 'SecretKeyMissing',
    message: 'Secret shop/empty has no key',
  },
  {
    what: 'a Secret whose key is empty',
    more: '',
    providers: webhook('blank'),
    condition: 'CredentialsReady',
    reason: 'SecretKeyMissing',
    message: 'Secret shop/blank has no key',
  },
  {
    what: 'a topic of another channel',
    more: 'topic: {name: taken}',
    condition: 'Accepted',
    reason: 'TopicConflict',
    message: 'topic taken belongs to NotificationChannel shop/good',
  },
  {
    what: 'the dead letters of another channel',
    more: 'topic: {name: taken.dlq}',
    condition: 'Accepted',
    reason: 'TopicConflict',
    message: 'topic taken.dlq belongs to',
  },
  {
    what: 'a topic of the install',
    more: 'topic: {name: "%p.requests"}',
    condition: 'Accepted',
    reason: 'TopicConflict',
    message: "topic %p.requests is the install's own",
  },
  {
    what: 'a topic that another namespace will be given',
    more: 'topic: {name: "%p.bank.email"}',
    condition: 'Accepted',
    reason: 'TopicConflict',
    message: 'names that begin with %p. are given by the install',
  },
  {
    what: 'a topic of another application',
    more: 'topic: {name: foreign}',
    condition: 'TopicsReady',
    reason: 'TopicNotOwned',
    message: 'topic foreign is there already, and this install did not make it',
  },
  {
    what: 'a topic whose dead letters would be on that of another application',
    more: 'topic: {name: half}',
    condition: 'TopicsReady',
    reason: 'TopicNotOwned',
    message: 'topic half.dlq is there already',
  },
  {
    what: 'a name whose topic is met by that of another application',
    name: 'met',
    more: '',
    condition: 'TopicsReady',
    reason: 'TopicNotOwned',
    message: 'topic %p.shop.met.retry.30s is there already',
  },
  {
    what: 'a topic setting that Kafka does not know',
    more: 'topic: {config: {no.such.setting: "1"}}',
    condition: 'TopicsReady',
    reason: 'TopicRefused',
    message: 'no.such.setting',
  },
  {
    what: 'a topic setting of a wrong value',
    more: 'topic: {config: {max.message.bytes: many}}',
    condition: 'TopicsReady',
    reason: 'TopicRefused',
    message: 'max.message.bytes',
  },
  {
    what: 'an absurd affinity',
    more: 'workers: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'nodeSelectorTerms',
  },
  {
    what: 'an affinity of a wrong type',
    more: 'workers: {affinity: {podAffinity: 7}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'podAffinity',
  },
  {
    what: 'an affinity that nobody knows',
    more: 'workers: {affinity: {nodeAfinity: {}}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'nodeAfinity',
  },
  {
    what: 'a toleration that contradicts itself',
    more: 'workers: {tolerations: [{operator: Exists, key: a, value: b}]}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'value must be empty',
  },
  {
    what: 'requests above limits',
    more: 'workers: {resources: {requests: {cpu: 2}, limits: {cpu: 1}}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'must be less than or equal to cpu limit',
  },
  {
    what: 'a quantity that is none',
    more: 'workers: {resources: {requests: {memory: plenty}}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'quantities must match',
  },
  {
    what: 'a resource that is none',
    more: 'workers: {resources: {limits: {"no resource": 1}}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'no resource',
  },
  {
    what: 'a node label that is none',
    more: 'workers: {nodeSelector: {"größe": klein}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'größe',
  },
  {
    what: 'a pod label that is none',
    more: 'workers: {labels: {"🔔": "yes"}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'spec.template.labels',
  },
  {
    what: 'a pod annotation that is none',
    more: 'workers: {annotations: {"a/b/c": "yes"}}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'a/b/c',
  },
  {
    what: 'a priority class that is not there',
    more: 'workers: {priorityClassName: absent}',
    condition: 'WorkersReady',
    reason: 'FailedCreate',
    message: 'no PriorityClass with name absent',
  },
  {
    what: 'a priority class that is no name',
    more: 'workers: {priorityClassName: "No Class"}',
    condition: 'WorkersReady',
    reason: 'WorkersRefused',
    message: 'priorityClassName',
  },
  {
    what: 'a node that is not there',
    more: 'workers: {nodeSelector: {disk: absent}}',
    condition: 'WorkersReady',
    reason: 'Unschedulable',
    message: 'none of 1 workers is ready: 0/1 nodes are available',
  },
]

/** Templates that the API server takes, and what is wrong with them. */
export const templates: { what: string; spec: string; message: RegExp }[] = [
  {
    what: 'an unknown filter',
    spec: 'content: {sms: {text: "{{ data.a | shout }}"}}',
    message: /spec\.content\.sms\.text: /,
  },
  {
    what: 'a tag that does not end',
    spec: 'content: {sms: {text: "{% if data.a %}"}}',
    message: /spec\.content\.sms\.text: /,
  },
  {
    what: 'a name that templates do not see',
    spec: 'content: {sms: {text: "{{ process.env }}"}}',
    message: /process/,
  },
  {
    what: 'a sample that reads otherwise',
    spec: 'content: {sms: {text: "{{ data.a }}"}}, samples: [{name: s, data: {a: 1}, expect: {sms: {text: "2"}}}]',
    message: /spec\.samples\.0\.expect\.sms\.text: /,
  },
  {
    what: 'a sample whose data do not fit',
    spec: 'variables: {type: object, required: [a]}, content: {sms: {text: x}}, samples: [{name: s}]',
    message: /spec\.samples\.0\.data/,
  },
  {
    what: 'variables that are no schema',
    spec: 'variables: {type: object, requierd: [a]}, content: {sms: {text: x}}',
    message: /unknown keyword/,
  },
  {
    what: 'variables with a regular expression',
    spec: 'variables: {type: object, properties: {a: {type: string, pattern: "^(a+)+$"}}}, content: {sms: {text: x}}',
    message: /is not allowed/,
  },
  {
    what: 'a sample that never ends',
    spec: 'content: {sms: {text: "{% for a in (1..100000) %}{% for b in (1..100000) %}{{ a }}{% endfor %}{% endfor %}"}}, samples: [{name: s}]',
    message: /./,
  },
]
