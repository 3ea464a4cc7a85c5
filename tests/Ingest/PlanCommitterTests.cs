using Confluent.Kafka;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class PlanCommitterTests
{
    private readonly Channel _channel = new();
    private readonly List<PartitionState> _refused = [];
    private readonly PlanCommitter _committer;
    private TimeSpan _now = TimeSpan.FromSeconds(1);

    public PlanCommitterTests()
    {
        _committer = new PlanCommitter(new RecordingLogger(), state =>
        {
            _refused.Add(state);
            _committer!.Remove(state);
        });
    }

    [Fact]
    public void Cuts_that_close_shortly_after_one_another_share_a_commit()
    {
        var first = Close(0, 5, 9);
        Serve();
        Assert.Empty(_channel.Sent);
        var second = Close(1, 7, 8);
        Serve(PlanCommitter.GatherTime);

        Assert.Equal(
            [new(new("flows", 0), 5, CutPlan.MetadataOf(9)), new CommittedOffset(new("flows", 1), 7, CutPlan.MetadataOf(8))],
            Assert.Single(_channel.Sent));
        Assert.False(first.WhenPlanned.IsCompleted || second.WhenPlanned.IsCompleted);
        _channel.Answer();
        Serve();
        Assert.True(first.WhenPlanned.IsCompleted && second.WhenPlanned.IsCompleted);
    }

    [Fact]
    public void The_end_of_a_stored_cut_goes_with_the_next_plan_or_at_the_next_tick_without_metadata()
    {
        var state = State(0);
        _committer.AddEnd(state, 9);
        Serve(TimeSpan.FromSeconds(1));
        Assert.Empty(_channel.Sent);
        _committer.Tick();
        Serve();

        Assert.Equal([new CommittedOffset(new("flows", 0), 9, "")], Assert.Single(_channel.Sent));
        _channel.Answer();
        Serve();
        Assert.Equal((9, false), (state.CommittedOffset, _committer.IsWaiting(state)));
    }

    [Fact]
    public void The_next_plan_commits_the_end_of_the_cut_before_it()
    {
        var state = State(0);
        _committer.AddEnd(state, 9);
        _committer.AddPlan(state, CutOf(state, 9, 12), _now);
        Serve(PlanCommitter.GatherTime);
        _channel.Answer();
        Serve();

        Assert.Equal([new CommittedOffset(new("flows", 0), 9, CutPlan.MetadataOf(12))], Assert.Single(_channel.Sent));
        Assert.Equal((9, false), (state.CommittedOffset, _committer.IsWaiting(state)));
    }

    [Fact]
    public void One_commit_is_out_at_a_time_and_leaving_partitions_do_not_wait_for_company()
    {
        Close(0, 0, 1);
        Serve(isHurried: true);
        var second = Close(1, 0, 1);
        Serve(TimeSpan.FromSeconds(10), isHurried: true);
        Assert.Single(_channel.Sent);
        Assert.True(_committer.IsAnswerOut);

        _channel.Answer();
        Serve(isHurried: true);
        _channel.Answer();
        Serve(isHurried: true);
        Assert.True(second.WhenPlanned.IsCompleted);
        Assert.Equal(2, _channel.Sent.Count);
    }

    [Fact]
    public void A_partition_that_Kafka_never_takes_does_not_hold_the_others_back()
    {
        var cuts = Enumerable.Range(0, 8).Select(partition => Close(partition, 0, 1)).ToList();
        for (var round = 0; round < 30; round++)
        {
            Serve(TimeSpan.FromSeconds(6));
            if (_committer.IsAnswerOut)
            {
                _channel.Answer(_channel.Sent[^1].Any(commit => commit.Partition.Partition == 3)
                    ? ErrorCode.UnknownTopicOrPart
                    : ErrorCode.NoError);
            }
        }

        Assert.Equal([3], cuts.Where(cut => !cut.WhenPlanned.IsCompleted).Select(cut => cut.Partition.Partition));
    }

    [Theory]
    [InlineData(ErrorCode.UnknownMemberId, true)]
    [InlineData(ErrorCode.FencedInstanceId, true)]
    [InlineData(ErrorCode.IllegalGeneration, false)]
    [InlineData(ErrorCode.RebalanceInProgress, false)]
    [InlineData(ErrorCode.NotCoordinatorForGroup, false)]
    [InlineData(ErrorCode.Local_WaitCoord, false)]
    public void Some_errors_say_that_the_partition_is_gone_the_others_are_tried_again_with_the_insert_held_back(ErrorCode error, bool isRefusal)
    {
        var cut = Close(0, 0, 1);
        Serve(PlanCommitter.GatherTime);
        _channel.Answer(error);
        Serve();
        Assert.Equal((isRefusal ? 1 : 0, 1L), (_refused.Count, _committer.ErrorCount));
        Assert.False(cut.WhenPlanned.IsCompleted);

        Serve(TimeSpan.FromSeconds(6));
        Assert.Equal(isRefusal ? 1 : 2, _channel.Sent.Count);
    }

    [Fact]
    public void The_time_of_refusals_for_a_rebalance_counts_until_a_commit_is_accepted()
    {
        Close(0, 0, 1);
        Serve(isHurried: true);
        _channel.Answer(ErrorCode.RebalanceInProgress);
        Serve(isHurried: true);
        _now += TimeSpan.FromSeconds(2);
        Assert.Equal(TimeSpan.FromSeconds(2), _committer.RebalanceRefusalTime(_now));

        Serve(isHurried: true);
        _channel.Answer();
        Serve(isHurried: true);
        Assert.Equal(TimeSpan.Zero, _committer.RebalanceRefusalTime(_now));
    }

    [Fact]
    public void An_answer_for_a_partition_that_was_given_up_meanwhile_changes_nothing()
    {
        var state = State(0);
        var cut = CutOf(state, 0, 1);
        _committer.AddPlan(state, cut, _now);
        Serve(isHurried: true);
        _committer.Remove(state);
        _channel.Answer();
        _committer.AwaitAnswer(_channel, _now, TimeSpan.Zero);

        Assert.Equal((false, -1), (cut.WhenPlanned.IsCompleted, state.CommittedOffset));
        Assert.False(_committer.IsAnswerOut);
    }

    private static PartitionState State(int partition) => new(new PartitionKey("flows", partition), 0, 0, PartitionState.UnknownOffset, 1);

    private static Cut CutOf(PartitionState state, long from, long to) => new(state.Key, from, 1, 1, new StringDictionary(16)) { ToOffset = to };

    private Cut Close(int partition, long from, long to)
    {
        var state = State(partition);
        var cut = CutOf(state, from, to);
        _committer.AddPlan(state, cut, _now);
        return cut;
    }

    private void Serve(TimeSpan later = default, bool isHurried = false)
    {
        _now += later;
        _committer.Serve(_channel, _now, isHurried, TimeSpan.Zero);
    }

    private sealed class Channel : ICommitChannel
    {
        private List<CommitAnswer>? _answer;

        public List<List<CommittedOffset>> Sent { get; } = [];

        public void Answer(ErrorCode error = ErrorCode.NoError) =>
            _answer = Sent[^1].ConvertAll(commit => new CommitAnswer(commit.Partition, error));

        public ErrorCode Send(IReadOnlyList<CommittedOffset> commits)
        {
            Sent.Add([.. commits]);
            return ErrorCode.NoError;
        }

        public IReadOnlyList<CommitAnswer>? TakeAnswer(TimeSpan timeout)
        {
            var answer = _answer;
            _answer = null;
            return answer;
        }
    }
}
