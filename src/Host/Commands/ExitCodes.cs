namespace Weir.Host.Commands;

/// <summary>Exit codes of the program.</summary>
internal static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>It began, and failed.</summary>
    public const int Failed = 1;

    /// <summary>The command line or the configuration is wrong, or <c>weir check</c> found a problem.</summary>
    public const int Refused = 2;

    /// <summary>A second Ctrl-C: 128 + SIGINT, as shells count.</summary>
    public const int Interrupted = 130;

    /// <summary>The codes as help shows them.</summary>
    public const string Help = "Exit codes: 0 done, 1 failed while running, 2 command line or configuration wrong (or check found "
        + "problems), 130 stopped by a second Ctrl-C.";
}
