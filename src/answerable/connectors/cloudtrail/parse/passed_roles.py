"""Find the roles that a call passes to a service, by its parameters.

`iam:PassRole` is never an event: IAM checks it as a part of the call that names the
role (IAM User Guide, "Grant a user permissions to pass a role to an AWS service").

Source of the table: https://github.com/iann0036/iam-dataset (`aws/map.json`,
2022-03-17), MIT License: the parameters that its mappings of `iam:PassRole` name.
"""

from collections.abc import Iterator, Mapping

import msgspec

from answerable.connectors.cloudtrail.parse.record_types import split_members
from answerable.connectors.cloudtrail.parse.resources import MAX_ARN_LENGTH

_MAX_ROLES = 8  # of one call
_ROLE = ":role/"
# Service, path of the parameter (case-insensitive; `[]` is each value of a list), and
# the calls that take it.
_TABLE = """
amplify autoSubDomainIAMRole: CreateDomainAssociation UpdateDomainAssociation
amplify iamServiceRoleArn: CreateApp UpdateApp
appconfig retrievalRoleArn: CreateConfigurationProfile UpdateConfigurationProfile
appflow connectorProfileConfig.connectorProfileProperties.Redshift.roleArn:
  CreateConnectorProfile UpdateConnectorProfile
application-autoscaling roleARN: RegisterScalableTarget
appstream iamRoleArn: CreateFleet CreateImageBuilder UpdateFleet
appsync logConfig.cloudWatchLogsRoleArn: CreateGraphqlApi UpdateGraphqlApi
appsync serviceRoleArn: CreateDataSource UpdateDataSource
autoscaling lifeCycleHookSpecification.RoleARN:
  CreateAutoScalingGroup UpdateAutoScalingGroup
autoscaling roleARN: PutLifecycleHook
autoscaling serviceLinkedRoleARN: CreateAutoScalingGroup UpdateAutoScalingGroup
backup backupSelection.IamRoleArn: CreateBackupSelection
backup iamRoleArn: StartBackupJob StartCopyJob StartRestoreJob
batch computeResources.instanceRole: CreateComputeEnvironment
batch computeResources.spotIamFleetRole: CreateComputeEnvironment
batch containerProperties.executionRoleArn: RegisterJobDefinition
batch containerProperties.jobRoleArn: RegisterJobDefinition
batch serviceRole: CreateComputeEnvironment UpdateComputeEnvironment
budgets definition.IamActionDefinition.Roles: CreateBudgetAction UpdateBudgetAction
budgets executionRoleArn: CreateBudgetAction UpdateBudgetAction
cloudformation administrationRoleARN: CreateStackSet UpdateStackSet
cloudformation executionRoleArn: SetStackPolicy
cloudformation loggingConfig.LogRoleArn: SetStackPolicy
cloudformation roleARN: ContinueUpdateRollback CreateChangeSet CreateStack UpdateStack
cloudhsm iamRoleArn: CreateHsm ModifyHsm
cloudtrail cloudWatchLogsRoleArn: CreateTrail UpdateTrail
codebuild buildBatchConfig.serviceRole: CreateProject UpdateProject
codebuild buildBatchConfigOverride.serviceRole: StartBuildBatch
codebuild serviceRole: CreateProject UpdateProject
codebuild serviceRoleOverride: StartBuild StartBuildBatch
codedeploy serviceRoleArn: CreateDeploymentGroup UpdateDeploymentGroup
codepipeline pipeline.roleArn: CreatePipeline UpdatePipeline
codestar toolchain.roleArn: CreateProject
cognito-idp analyticsConfiguration.RoleArn: CreateUserPoolClient UpdateUserPoolClient
cognito-idp cloudWatchLogsRoleArn: CreateUserImportJob
cognito-idp roleArn: CreateGroup UpdateGroup
cognito-sync cognitoStreams.RoleArn: SetIdentityPoolConfiguration
cognito-sync pushSync.RoleArn: SetIdentityPoolConfiguration
comprehend dataAccessRoleArn:
  CreateDocumentClassifier CreateEntityRecognizer StartDocumentClassificationJob
  StartDominantLanguageDetectionJob StartEntitiesDetectionJob
  StartKeyPhrasesDetectionJob StartPiiEntitiesDetectionJob
  StartSentimentDetectionJob StartTopicsDetectionJob
config configurationRecorder.roleARN: PutConfigurationRecorder
config organizationAggregationSource.RoleArn: PutConfigurationAggregator
dax iamRoleArn: CreateCluster
dlm executionRoleArn: CreateLifecyclePolicy UpdateLifecyclePolicy
dms dmsTransferSettings.ServiceAccessRoleArn: CreateEndpoint ModifyEndpoint
dms dynamoDbSettings.ServiceAccessRoleArn: CreateEndpoint ModifyEndpoint
dms elasticsearchSettings.ServiceAccessRoleArn: CreateEndpoint ModifyEndpoint
dms kinesisSettings.ServiceAccessRoleArn: CreateEndpoint ModifyEndpoint
dms neptuneSettings.ServiceAccessRoleArn: CreateEndpoint ModifyEndpoint
dms redshiftSettings.ServiceAccessRoleArn: CreateEndpoint ModifyEndpoint
dms serviceAccessRoleArn: CreateEndpoint ModifyEndpoint
dynamodb globalTableProvisionedWriteCapacityAutoScalingSettingsUpdate.AutoScalingRoleArn:
  UpdateGlobalTableSettings
dynamodb provisionedWriteCapacityAutoScalingUpdate.AutoScalingRoleArn:
  UpdateTableReplicaAutoScaling
ec2 spotFleetRequestConfig.IamFleetRole: RequestSpotFleet
ecs executionRoleArn: RegisterTaskDefinition
ecs overrides.executionRoleArn: RunTask StartTask
ecs overrides.taskRoleArn: RunTask StartTask
ecs taskRoleArn: RegisterTaskDefinition
eks nodeRole: CreateNodegroup
eks roleArn: CreateCluster
elasticbeanstalk buildConfiguration.CodeBuildServiceRole: CreateConfigurationTemplate
elasticbeanstalk esourceLifecycleConfig.ServiceRole: UpdateApplicationResourceLifecycle
elasticbeanstalk operationsRole: AssociateEnvironmentOperationsRole CreateEnvironment
elasticbeanstalk resourceLifecycleConfig.ServiceRole: CreateApplication
elasticmapreduce autoScalingRole: RunJobFlow
elasticmapreduce jobFlowRole: RunJobFlow
elasticmapreduce serviceRole: RunJobFlow
elastictranscoder role: CreatePipeline TestRole UpdatePipeline
es advancedSecurityOptions.SAMLOptions.MasterBackendRole:
  CreateElasticsearchDomain UpdateElasticsearchDomainConfig
es cognitoOptions.RoleArn: CreateElasticsearchDomain UpdateElasticsearchDomainConfig
events roleArn: PutRule
firehose elasticsearchDestinationConfiguration.RoleARN: CreateDeliveryStream
firehose elasticsearchDestinationConfiguration.VpcConfiguration.RoleARN:
  CreateDeliveryStream
firehose elasticsearchDestinationUpdate.RoleARN: UpdateDestination
firehose httpEndpointDestinationUpdate.RoleARN: UpdateDestination
firehose kinesisStreamSourceConfiguration.RoleARN: CreateDeliveryStream
firehose redshiftDestinationConfiguration.RoleARN: CreateDeliveryStream
firehose redshiftDestinationUpdate.RoleARN: UpdateDestination
forecast encryptionConfig.RoleArn: CreateDataset CreatePredictor
frauddetector externalEventsDetail.dataAccessRoleArn:
  CreateModelVersion UpdateModelVersion
frauddetector invokeModelEndpointRoleArn: PutExternalModel
gamelift instanceRoleArn: CreateFleet
gamelift roleArn: CreateGameServerGroup UpdateGameServerGroup
gamelift storageLocation.RoleArn: CreateBuild CreateScript UpdateScript
glue jobUpdate.Role: UpdateJob
glue role: CreateCrawler CreateJob CreateMLTransform UpdateCrawler UpdateMLTransform
glue roleArn: CreateDevEndpoint
greengrass executionRoleArn: StartBulkDeployment
greengrass roleArn: AssociateRoleToGroup AssociateServiceRoleToAccount
inspector roleArn: RegisterCrossAccountAccessRole
iot actionParams.enableIoTLoggingParams.roleArnForLogging:
  CreateMitigationAction UpdateMitigationAction
iot loggingOptionsPayload.roleArn: SetLoggingOptions
iot presignedUrlConfig.roleArn: CreateJob UpdateJob
iot resourceIdentifier.iamRoleArn: CreateAuditSuppression UpdateAuditSuppression
iot roleArn:
  CreateMitigationAction CreateOTAUpdate CreateStream SetV2LoggingOptions
  StartThingRegistrationTask UpdateAccountAuditConfiguration UpdateMitigationAction
  UpdateStream
iot topicRulePayload.errorAction.cloudwatchAlarm.roleArn:
  CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.cloudwatchLogs.roleArn:
  CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.cloudwatchMetric.roleArn:
  CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.dynamoDB.roleArn: CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.elasticsearch.roleArn: CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.firehose.roleArn: CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.kinesis.roleArn: CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.republish.roleArn: CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.sns.roleArn: CreateTopicRule ReplaceTopicRule
iot topicRulePayload.errorAction.sqs.roleArn: CreateTopicRule ReplaceTopicRule
iotanalytics loggingOptions.roleArn: PutLoggingOptions
iotanalytics pipelineActivity.deviceRegistryEnrich.roleArn: RunPipelineActivity
iotanalytics pipelineActivity.deviceShadowEnrich.roleArn: RunPipelineActivity
iotevents loggingOptions.roleArn: PutLoggingOptions
iotevents roleArn: CreateDetectorModel UpdateDetectorModel
iotsitewise roleArn: CreatePortal UpdatePortal
iotthingsgraph flowActionsRoleArn: CreateSystemInstance
iotthingsgraph metricsConfiguration.metricRuleRoleArn: CreateSystemInstance
kendra roleArn:
  BatchPutDocument CreateDataSource CreateFaq CreateIndex UpdateDataSource
  UpdateIndex
kinesisanalytics cloudWatchLoggingOption.RoleARN: AddApplicationCloudWatchLoggingOption
kinesisanalytics input.InputProcessingConfiguration.InputLambdaProcessor.RoleARN:
  AddApplicationInput
kinesisanalytics input.KinesisFirehoseInput.RoleARN: AddApplicationInput
kinesisanalytics input.KinesisStreamsInput.RoleARN: AddApplicationInput
kinesisanalytics inputProcessingConfiguration.InputLambdaProcessor.RoleARN:
  AddApplicationInputProcessingConfiguration DiscoverInputSchema
kinesisanalytics output.KinesisFirehoseOutput.RoleARN: AddApplicationOutput
kinesisanalytics output.KinesisStreamsOutput.RoleARN: AddApplicationOutput
kinesisanalytics output.LambdaOutput.RoleARN: AddApplicationOutput
kinesisanalytics roleARN: DiscoverInputSchema
lakeformation roleArn: RegisterResource UpdateResource
lakeformation useServiceLinkedRole: RegisterResource
lambda role: CreateFunction UpdateFunctionConfiguration
lex conversationLogs.iamRoleArn: PutBotAlias
lex kendraConfiguration.role: PutIntent
logs roleArn: PutDestination PutSubscriptionFilter
machinelearning rDSData.ResourceRole: CreateDataSourceFromRDS
machinelearning rDSData.ServiceRole: CreateDataSourceFromRDS
machinelearning roleARN: CreateDataSourceFromRDS CreateDataSourceFromRedshift
mediaconnect decryption.RoleArn: UpdateFlowSource
mediaconnect encryption.RoleArn: UpdateFlowEntitlement UpdateFlowOutput
mediaconnect source.Decryption.RoleArn: CreateFlow
mediaconvert role: CreateJob
medialive roleArn: CreateChannel CreateInput UpdateChannel UpdateInput
mediapackage authorization.SecretsRoleArn: CreateOriginEndpoint UpdateOriginEndpoint
mediapackage cmafPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreateOriginEndpoint UpdateOriginEndpoint
mediapackage dashPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreateOriginEndpoint UpdateOriginEndpoint
mediapackage hlsPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreateOriginEndpoint UpdateOriginEndpoint
mediapackage mssPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreateOriginEndpoint UpdateOriginEndpoint
mediapackage-vod authorization.SecretsRoleArn: CreatePackagingGroup
mediapackage-vod cmafPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreatePackagingConfiguration
mediapackage-vod dashPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreatePackagingConfiguration
mediapackage-vod hlsPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreatePackagingConfiguration
mediapackage-vod mssPackage.Encryption.SpekeKeyProvider.RoleArn:
  CreatePackagingConfiguration
mediapackage-vod sourceRoleArn: CreateAsset
mobiletargeting createRecommenderConfiguration.RecommendationProviderRoleArn:
  CreateRecommenderConfiguration
mobiletargeting emailChannelRequest.RoleArn: UpdateEmailChannel
mobiletargeting exportJobRequest.RoleArn: CreateExportJob
mobiletargeting importJobRequest.RoleArn: CreateImportJob
mobiletargeting updateRecommenderConfiguration.RecommendationProviderRoleArn:
  UpdateRecommenderConfiguration
mobiletargeting writeEventStream.RoleArn: PutEventStream
mq ldapServerMetadata.RoleBase: UpdateBroker
mq ldapServerMetadata.RoleSearchMatching: UpdateBroker
mq ldapServerMetadata.RoleSearchSubtree: UpdateBroker
opsworks serviceRoleArn: CloneStack CreateStack UpdateStack
opsworks-cm serviceRoleArn: CreateServer
personalize roleArn: CreateBatchInferenceJob CreateDatasetGroup CreateDatasetImportJob
qldb roleArn: ExportJournalToS3 StreamJournalToKinesis
quicksight userRole: RegisterUser
rds iamRoleArn: StartExportTask
rds monitoringRoleArn:
  CreateDBInstance CreateDBInstanceReadReplica ModifyDBInstance
  RestoreDBInstanceFromS3
rds roleArn:
  AddRoleToDBCluster AddRoleToDBInstance CreateDBProxy ModifyDBProxy
  RemoveRoleFromDBCluster RemoveRoleFromDBInstance
redshift iamRole: CreateScheduledAction ModifyScheduledAction
redshift iamRoles[]: CreateCluster RestoreFromClusterSnapshot
rekognition notificationChannel.RoleArn:
  StartCelebrityRecognition StartContentModeration StartFaceDetection
  StartFaceSearch StartLabelDetection StartPersonTracking StartSegmentDetection
  StartTextDetection
rekognition roleArn: CreateStreamProcessor
robomaker iamRole: CreateSimulationJob CreateWorldExportJob
s3 notificationConfiguration.CloudFunctionConfiguration.InvocationRole:
  PutBucketNotification
s3 role: PutBucketReplication
sagemaker defaultUserSettings.ExecutionRole: CreateDomain UpdateDomain
sagemaker executionRoleArn: CreateModel
sagemaker monitoringScheduleConfig.MonitoringJobDefinition.RoleArn:
  CreateMonitoringSchedule UpdateMonitoringSchedule
sagemaker roleArn:
  CreateAutoMLJob CreateCompilationJob CreateFlowDefinition CreateLabelingJob
  CreateNotebookInstance CreateProcessingJob CreateTrainingJob RenderUiTemplate
  UpdateNotebookInstance
sagemaker trainingJobDefinition.RoleArn: CreateHyperParameterTuningJob
sagemaker userSettings.ExecutionRole: CreateUserProfile UpdateUserProfile
sagemaker validationSpecification.ValidationRole: CreateAlgorithm CreateModelPackage
ses eventDestination.KinesisFirehoseDestination.IAMRoleARN:
  CreateConfigurationSetEventDestination UpdateConfigurationSetEventDestination
shield roleArn: AssociateDRTRole
sms-voice eventDestination.CloudWatchLogsDestination.IamRoleArn:
  CreateConfigurationSetEventDestination UpdateConfigurationSetEventDestination
sms-voice eventDestination.KinesisFirehoseDestination.IamRoleArn:
  CreateConfigurationSetEventDestination UpdateConfigurationSetEventDestination
snowball roleARN: CreateCluster CreateJob UpdateCluster UpdateJob
ssm iamRole: CreateActivation UpdateManagedInstanceRole
ssm serviceRoleArn:
  RegisterTaskWithMaintenanceWindow SendCommand UpdateMaintenanceWindowTask
ssm taskInvocationParameters.RunCommand.ServiceRoleArn:
  RegisterTaskWithMaintenanceWindow UpdateMaintenanceWindowTask
states roleArn: CreateStateMachine UpdateStateMachine
storagegateway role: CreateNFSFileShare CreateSMBFileShare
swf defaultLambdaRole: RegisterWorkflowType
swf lambdaRole: StartWorkflowExecution
synthetics executionRoleArn: CreateCanary UpdateCanary
transfer identityProviderDetails.InvocationRole: CreateServer UpdateServer
transfer loggingRole: CreateServer UpdateServer
transfer role: CreateUser UpdateUser
translate dataAccessRoleArn: StartTextTranslationJob
workmail roleArn: StartMailboxExportJob
"""
_VALUES = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def _parse_table(text: str) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Parse the table: paths of role parameters by call, e.g. `ecs:RunTask`."""
    found: dict[str, list[tuple[str, ...]]] = {}
    service = ""
    path: tuple[str, ...] = ()
    for line in text.strip().splitlines():
        calls = line
        if not line.startswith(" "):
            head, _, calls = line.partition(":")
            service, _, spelled = head.partition(" ")
            path = tuple(spelled.lower().split("."))
        for call in calls.split():
            found.setdefault(f"{service}:{call}", []).append(path)
    return {call: tuple(paths) for call, paths in found.items()}


_PATHS: Mapping[str, tuple[tuple[str, ...], ...]] = _parse_table(_TABLE)


def may_pass_roles(action: str) -> bool:
    """Return whether a parameter of a call may name a role that it passes."""
    return action in _PATHS


def list_passed_roles(action: str, parameters: msgspec.Raw, account: str) -> list[str]:
    """List the ARNs of the roles that a call passes to a service.

    Args:
        action: The call, e.g. `lambda:CreateFunction`.
        parameters: Request parameters.
        account: Account of a role that is named without one.
    """
    paths = _PATHS.get(action)
    if paths is None:
        return []
    found = [
        _build_role_arn(text, account)
        for path in paths
        for text in _read_path(parameters, path)
    ]
    return list(dict.fromkeys(filter(None, found)))[:_MAX_ROLES]


def _read_path(raw: msgspec.Raw, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts at a path of members."""
    if not path:
        try:
            yield _TEXT.decode(raw)
        except msgspec.DecodeError:
            return
        return
    name, is_list = path[0].removesuffix("[]"), path[0].endswith("[]")
    for member, value in split_members(raw).items():
        if member.lower() != name:
            continue
        if not is_list:
            yield from _read_path(value, path[1:])
            continue
        try:
            values = _VALUES.decode(value)
        except msgspec.DecodeError:
            return
        for each in values:
            yield from _read_path(each, path[1:])


def _build_role_arn(text: str, account: str) -> str:
    """Return the ARN of a role that is named by its ARN or its name; else empty."""
    if text.startswith("arn:"):
        return text if _ROLE in text and len(text) <= MAX_ARN_LENGTH else ""
    is_name = text.replace("/", "").replace("_", "").replace("-", "").isalnum()
    return (
        f"arn:aws:iam::{account}:role/{text.strip('/')}" if is_name and account else ""
    )
