using Weir.Host.Admin;
using Xunit;

namespace Weir.Tests.Host;

public class ReadOnlySqlTests
{
    [Theory]
    [InlineData("SELECT 1")]
    [InlineData("  select sum(records) FROM edge_1s FORMAT JSON ; -- done")]
    [InlineData("WITH 5 AS x SELECT x, 'a;b', \"c;d\", `e;f` /* g;h */")]
    [InlineData("SHOW TABLES;")]
    [InlineData("(SELECT 1) UNION ALL (SELECT 2)")]
    [InlineData("SELECT url, file FROM t WHERE x IN (1, 2)")]
    [InlineData("SELECT 'it''s; \\' DROP TABLE x', 'größe'")]
    [InlineData("DESCRIBE TABLE edge_1s")]
    [InlineData("-- why\nEXPLAIN SELECT 1")]
    public void A_question_is_answered(string sql) => Assert.Null(ReadOnlySql.Refuse(sql));

    [Theory]
    [InlineData("", "empty")]
    [InlineData(" ; ", "empty")]
    [InlineData("-- SELECT 1", "empty")]
    [InlineData("DROP TABLE edge_1s", "not DROP")]
    [InlineData("INSERT INTO t SELECT 1", "not INSERT")]
    [InlineData("SET readonly = 0", "not SET")]
    [InlineData("SYSTEM SHUTDOWN", "not SYSTEM")]
    [InlineData("SELECT 1; DROP TABLE edge_1s", "one statement")]
    [InlineData("SELECT 1;'x'", "one statement")]
    [InlineData("SELECT 1; (SELECT 2)", "one statement")]
    [InlineData("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "INSERT")]
    [InlineData("SELECT 1 INTO OUTFILE '/tmp/x'", "OUTFILE")]
    [InlineData("SELECT 1 /* ' */ ; DROP TABLE t -- '", "one statement")]
    [InlineData("SELECT 1 /* /* */ ' */ ; DROP TABLE t --'", "holds another one")]
    [InlineData("SELECT 1 /* open", "not closed")]
    [InlineData("SELECT 'open", "not closed")]
    [InlineData("SELECT 'open\\'", "not closed")]
    [InlineData("SELECT $$ ' $$ ; DROP TABLE t --'", "only allowed in quotes")]
    [InlineData("SELECT 1 # ' \n; DROP TABLE t --'", "only allowed in quotes")]
    [InlineData("SELECT \u2018 ' \u2019; DROP TABLE t --'", "only allowed in quotes")]
    [InlineData("SELECT * FROM file('/etc/passwd', 'LineAsString')", "elsewhere")]
    [InlineData("SELECT * FROM URL /* x */ ('http://a')", "elsewhere")]
    [InlineData("SELECT * FROM `remote`('a', system.one)", "elsewhere")]
    [InlineData("SELECT * FROM \"fi\\x6ce\"('/etc/passwd')", "backslash")]
    [InlineData("'SELECT'", "only questions")]
    public void Whatever_is_no_single_question_to_the_store_is_refused(string sql, string reason) =>
        Assert.Contains(reason, ReadOnlySql.Refuse(sql), StringComparison.Ordinal);

    [Fact]
    public void A_question_that_is_too_long_is_refused() =>
        Assert.Contains("allowed: 262144", ReadOnlySql.Refuse("SELECT " + new string('1', 300_000)), StringComparison.Ordinal);
}
